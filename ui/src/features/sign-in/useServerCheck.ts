import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useProviderHost } from "@/shell/context";
import type { ServerCheck, ShellFailure } from "@/shell/host";

/** `host:port`, as far as it pays to ask; the program checks it exactly. */
const COMPLETE = /^(\[[0-9a-fA-F:.]+\]|[^\s:/@]+):\d{2,5}$/;

/** The text, once nobody has typed for `ms`. */
function useSettled(text: string, ms: number): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), ms);
    return () => clearTimeout(timer);
  }, [text, ms]);
  return settled;
}

/** Looks at the server that is being typed, once it is a whole address; nothing but a public question is sent. */
export function useServerCheck(typed: string) {
  const host = useProviderHost();
  const address = typed.trim();
  const settled = useSettled(address, 400);
  const complete = COMPLETE.test(address);
  const check = useQuery<ServerCheck, ShellFailure>({
    queryKey: ["check_server", settled],
    queryFn: () => host.checkServer(settled),
    enabled: complete && settled === address,
    retry: false,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  return { address, complete, ...(settled === address ? check : { ...check, data: undefined, error: null }) };
}
