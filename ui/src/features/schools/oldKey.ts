import type { SecretInfo } from "@/gen/rollcall/provider/v1/school";

/** A receiver of several processes goes over one by one: a key that was needed lately may be needed again. */
const QUIET_MS = 3_600_000;

/**
 * Whether the key that ends soon is still needed, by what the receiver says it verified with; none in an overlap, `null`
 * without one. Safe: it was not needed for an hour, while the new key was used.
 */
export function oldKeyVerdict(
  secrets: readonly SecretInfo[],
  nowMs: number,
): { verdict: "safe" | "needed" | "unknown"; neededAt?: string } | null {
  const old = secrets.find(({ state }) => state === "retiring");
  if (!old) return null;
  const neededAt = old.lastVerifiedAt || undefined;
  const usedAt = secrets.find(({ state }) => state === "active")?.lastVerifiedAt || undefined;
  if (!neededAt) return { verdict: "unknown" };
  const wentOver = usedAt !== undefined && Date.parse(usedAt) > Date.parse(neededAt);
  const quiet = nowMs - Date.parse(neededAt) >= QUIET_MS;
  return { verdict: wentOver && quiet ? "safe" : "needed", neededAt };
}
