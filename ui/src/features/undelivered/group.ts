import type { MessageGroup, UndeliveredGroup } from "@/gen/rollcall/provider/v1/log";
import type { Tone } from "@/theme/tokens";

/** Above it a replay must be confirmed by typing the school's name. */
export const TYPED_ABOVE = 1_000;

export const STATE_TONES: Record<string, Tone> = { pending: "retrying", parked: "parked", held: "paused" };

/** Groups have no id: the school and what names the group in a request do. */
export const keyOf = ({ schoolId, group }: UndeliveredGroup) =>
  [schoolId, group?.state, group?.reason, group?.cause, group?.code].join("-").replace(/[^A-Za-z0-9_-]/g, "_");

/** The filter of the log that finds the last attempts of a group's messages; empty where a group has no cause. */
export function logFilter({ state, cause, code }: MessageGroup): string {
  if (!cause) return "";
  const status = { pending: "retrying", parked: "parked", held: "held" }[state];
  return [status && `status:${status}`, `cause:${cause}`, code > 0 && `code:${code}`].filter(Boolean).join(" ");
}
