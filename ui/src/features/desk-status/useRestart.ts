import { useMutation, useQueryClient } from "@tanstack/react-query";
import { refresh } from "@/api/hooks";
import { useSchoolHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";

/** Starts the receiver again, then reads everything anew. */
export function useRestart() {
  const host = useSchoolHost();
  const client = useQueryClient();
  return useMutation<void, ShellFailure>({
    mutationFn: () => host.restartReceiver(),
    onSettled: () => refresh(client, ["ReceiverService", "SchoolLinkService"]),
  });
}
