import { useEffect, useRef, useState } from "react";
import { call } from "@/api/hooks";
import type { RotateSecretResponse } from "@/gen/rollcall/provider/v1/school";
import { useProviderHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";

/** How long the old secret still signs; "leaked": it stops now. */
export type Overlap = 86400 | 259200 | 604800 | "leaked";

type State =
  | { step: "waiting" | "asking" | "unseen" | "wiped" }
  | { step: "shown"; answer: RotateSecretResponse }
  | { step: "failed"; error: ShellFailure };

/**
 * Asks for a secret exactly once in this window's life. The answer is held here alone: no cache of reads or acts ever has
 * it, nothing asks again, and `wipe` drops it.
 */
export function useOnce(school: string, rotates: boolean) {
  const host = useProviderHost();
  const asked = useRef(false);
  const [state, setState] = useState<State>({ step: "waiting" });
  useEffect(() => () => setState({ step: "wiped" }), []);

  const ask = async (overlap: Overlap) => {
    if (asked.current) return;
    asked.current = true;
    setState({ step: "asking" });
    const how = overlap === "leaked" ? { revokeNow: true } : { overlapS: overlap };
    try {
      const answer = rotates
        ? await call(host, "SchoolService/RotateSecret", { school, ...how })
        : await call(host, "SchoolService/ShowSecretOnce", { school });
      setState(answer.secret ? { step: "shown", answer } : { step: "unseen" });
    } catch (error) {
      setState({ step: "failed", error: error as ShellFailure });
    }
  };
  return { state, ask: (overlap: Overlap) => void ask(overlap), wipe: () => setState({ step: "wiped" }) };
}
