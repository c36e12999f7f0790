import { useRef } from "react";
import { useCall } from "@/api/hooks";
import type { Overview } from "@/gen/rollcall/provider/v1/log";

const EVERY_MS = 15_000;

/** The dashboard's figures, read again while it is open. */
export function useOverview(district: string) {
  return useCall("LogService/GetOverview", { district }, { refetchInterval: EVERY_MS });
}

/** The first figures of a district that this screen read, to tell what changed while somebody looked. */
export function useFirst(overview: Overview, district: string): Overview {
  const first = useRef({ district, overview });
  if (first.current.district !== district) first.current = { district, overview };
  return first.current.overview;
}
