import { useMutation, useQueryClient } from "@tanstack/react-query";
import { refresh } from "@/api/hooks";
import { useSchoolHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";

/** Why a secret is renewed; it decides how. */
export type Why = "routine" | "pending" | "leaked";

const HOW: Record<Why, [request: boolean, revokeNow: boolean]> = {
  routine: [true, false],
  pending: [false, false],
  leaked: [true, true],
};

/** Renews the secret; answers the new one's six words, `null` where none waited. */
export function useRotation() {
  const host = useSchoolHost();
  const client = useQueryClient();
  return useMutation<string | null, ShellFailure, Why>({
    mutationFn: (why) => host.rotateSecret(...HOW[why]),
    // Also a failed one may have changed what waits at the provider.
    onSettled: () => refresh(client, ["ReceiverService", "SchoolLinkService"]),
  });
}
