import { useEffect, useState } from "react";
import { call, useCall } from "@/api/hooks";
import { useHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { usePreferences } from "@/theme/preferences";

const WAITING = new Set(["pending", "in_flight"]);
const REFRESH_MS = 3_000;

/** A message with its attempts. Its body is asked for only by {@link Revealing.run}, and forgotten with the message. */
export function useMessage(id: string) {
  const host = useHost();
  const { hidePersonal } = usePreferences();
  const query = useCall(
    "LogService/GetMessage",
    { message: id },
    { refetchInterval: ({ state }) => (WAITING.has(state.data?.state ?? "") ? REFRESH_MS : false) },
  );
  const [revealed, setRevealed] = useState<{ id: string; body: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ShellFailure | null>(null);
  useEffect(() => {
    setRevealed(null);
    setError(null);
  }, [id, hidePersonal]);
  const run = async () => {
    setBusy(true);
    setError(null);
    try {
      const { body } = await call(host, "LogService/GetMessage", { message: id, revealBody: true });
      setRevealed({ id, body });
    } catch (refused) {
      setError(refused as ShellFailure);
    }
    setBusy(false);
  };
  // Base64; `null` until it is revealed.
  const body = revealed?.id === id && !hidePersonal ? revealed.body : null;
  return { query, body, reveal: { busy, error, run: () => void run() } };
}

export type Revealing = ReturnType<typeof useMessage>["reveal"];
