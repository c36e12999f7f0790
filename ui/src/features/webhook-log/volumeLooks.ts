import { Archive, CircleCheck, CircleX, type LucideIcon, RefreshCw, SquareParking } from "lucide-react";
import type { HistogramBucket } from "@/gen/rollcall/provider/v1/log";

/** From the ground up: trouble stands on the line, where it is seen. */
export const STACK = ["failed", "parked", "held", "retrying", "delivered"] as const;

export const MARK: Record<(typeof STACK)[number], string> = {
  failed: "var(--failed-mark)",
  parked: "var(--parked-mark)",
  held: "var(--paused-mark)",
  retrying: "var(--retrying-mark)",
  delivered: "var(--delivered-mark)",
};

export const STACK_ICON: Record<(typeof STACK)[number], LucideIcon> = {
  failed: CircleX,
  parked: SquareParking,
  held: Archive,
  retrying: RefreshCw,
  delivered: CircleCheck,
};

export const sum = (bucket: HistogramBucket) => STACK.reduce((all, status) => all + Number(bucket[status]), 0);
export const beginOf = (bucket: HistogramBucket) => Date.parse(bucket.from ?? "");
