import { useCall } from "@/api/hooks";

const EVERY_MS = 15_000;

/** The dashboard's figures, read again while it is open. */
export function useOverview(district: string) {
  return useCall("LogService/GetOverview", { district }, { refetchInterval: EVERY_MS });
}
