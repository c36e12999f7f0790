import { useEffect, useState } from "react";
import { useSchoolHost } from "@/shell/context";
import type { ReceiverState } from "@/shell/host";
import { useCall } from "./hooks";

/** What the receiver says about itself; looked at again every 5 s. */
export function useReceiverStatus() {
  return useCall("ReceiverService/GetStatus", {}, { refetchInterval: 5_000 });
}

/** The connection as the provider has it. Only an enrolled desk may ask. */
export function useConnection(enabled = true) {
  return useCall("SchoolLinkService/GetConnection", {}, { enabled, refetchInterval: 30_000 });
}

/** How the receiver's program is, now and as it changes. */
export function useReceiver(): ReceiverState {
  const host = useSchoolHost();
  const [state, setState] = useState<ReceiverState>({ state: "starting" });
  useEffect(() => host.watchReceiver(setState), [host]);
  return state;
}
