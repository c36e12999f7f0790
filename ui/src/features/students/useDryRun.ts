import { useState } from "react";
import { useAct } from "@/api/hooks";
import type { RequestOf } from "@/api/methods";
import type { ChangeResult } from "@/gen/rollcall/provider/v1/student";
import type { ShellFailure } from "@/shell/host";

type Changing =
  | "StudentService/PutStudent"
  | "StudentService/EnrollStudent"
  | "StudentService/WithdrawStudent"
  | "StudentService/TransferStudent";

/**
 * A change in two steps: first what it would do, then the change itself, exactly as it was looked at. Either may be
 * refused.
 */
export function useDryRun<M extends Changing>(
  method: M,
  on: { refused: (error: ShellFailure) => void; done: (result: ChangeResult) => void },
) {
  const dry = useAct(method);
  const real = useAct(method, ["StudentService"]);
  const [planned, setPlanned] = useState<{ request: RequestOf<M>; key: string; result: ChangeResult } | null>(null);
  const refused = (error: ShellFailure) => {
    setPlanned(null);
    on.refused(error);
  };
  return {
    /** What was looked at last; `null` before, and once it was done. */
    planned: planned?.result ?? null,
    planning: dry.isPending,
    acting: real.isPending,
    plan: (request: RequestOf<M>) =>
      dry.mutate({ ...(request as object), dryRun: true } as RequestOf<M>, {
        // One key for the act however often it is pressed: it happens once.
        onSuccess: (result) => setPlanned({ request, key: crypto.randomUUID(), result: result as ChangeResult }),
        onError: refused,
      }),
    act: () => {
      if (!planned) return;
      real.mutate({ ...(planned.request as object), dryRun: false, idempotencyKey: planned.key } as RequestOf<M>, {
        onSuccess: (result) => {
          setPlanned(null);
          on.done(result as ChangeResult);
        },
        onError: refused,
      });
    },
    back: () => setPlanned(null),
  };
}
