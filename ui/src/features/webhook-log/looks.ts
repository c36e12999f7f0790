import { Archive, type LucideIcon } from "lucide-react";
import type { Tone } from "@/theme/tokens";

/** How a status of the log is drawn; its word is in the catalogue. */
export const TONE: Record<string, Tone> = {
  delivered: "delivered",
  retrying: "retrying",
  parked: "parked",
  held: "paused",
  failed: "failed",
};
export const STATUS_ICON: Record<string, LucideIcon> = { held: Archive };

/** The 3 px bar at a row's edge. */
export const EDGE: Record<string, string> = {
  delivered: "shadow-[inset_3px_0_0_var(--delivered-mark)]",
  retrying: "shadow-[inset_3px_0_0_var(--retrying-mark)]",
  parked: "shadow-[inset_3px_0_0_var(--parked-mark)]",
  held: "shadow-[inset_3px_0_0_var(--paused-mark)]",
  failed: "shadow-[inset_3px_0_0_var(--failed-mark)]",
};

/** `1.2 kB` */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
