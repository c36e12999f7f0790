import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { School } from "@/gen/rollcall/provider/v1/school";
import type { Status } from "@/gen/rollcall/school/v1/receiver";
import { useHost, useSchoolHost } from "@/shell/context";
import type { ReceiverState, ShellFailure } from "@/shell/host";
import { call, useCall } from "./hooks";

/** What the receiver says about itself; looked at again every 5 s. */
export function useReceiverStatus() {
  return useCall("ReceiverService/GetStatus", {}, { refetchInterval: 5_000 });
}

/** The connection, and the highest sequence that was known to be here before the provider was asked. */
export type AskedSchool = School & { heldBefore?: string };

/** The connection as the provider has it. Only an enrolled desk may ask. */
export function useConnection(enabled = true) {
  const host = useHost();
  const client = useQueryClient();
  return useQuery<AskedSchool, ShellFailure>({
    enabled,
    refetchInterval: 30_000,
    queryKey: ["SchoolLinkService/GetConnection", {}],
    queryFn: async () => {
      // Before the question: what arrives later has a number that this answer cannot know.
      const held = client.getQueryData<Status>(["ReceiverService/GetStatus", {}]);
      const school = await call(host, "SchoolLinkService/GetConnection", {});
      return { ...school, heldBefore: held?.highestSequence };
    },
  });
}

/** How the receiver's program is, now and as it changes. */
export function useReceiver(): ReceiverState {
  const host = useSchoolHost();
  const [state, setState] = useState<ReceiverState>({ state: "starting" });
  useEffect(() => host.watchReceiver(setState), [host]);
  return state;
}
