import { perMille, sum } from "@/components/format";
import type { Histogram, SchoolStrip } from "@/gen/rollcall/provider/v1/log";

/** What attempts become, as the log counts them. */
export const OUTCOMES = ["delivered", "retrying", "parked", "held", "failed"] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const HOUR_MS = 3_600_000;
export const RANGES = { day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS, month: 30 * 24 * HOUR_MS } as const;
export type Range = keyof typeof RANGES;

/** The beginnings of the last hours, the running one last. */
export function hoursUntil(at: string | undefined, count: number): number[] {
  const running = Math.floor(new Date(at ?? Date.now()).getTime() / HOUR_MS) * HOUR_MS;
  return Array.from({ length: count }, (_, hour) => running - (count - 1 - hour) * HOUR_MS);
}

/** The same hour of all schools together. */
export function together(schools: readonly SchoolStrip[], of: "deliveredByHour" | "failedByHour"): number[] {
  const hours = Math.max(0, ...schools.map((school) => school[of].length));
  return Array.from({ length: hours }, (_, hour) => sum(schools.map((school) => school[of][hour] ?? 0)));
}

export interface Failing {
  school: SchoolStrip;
  failed: number;
  delivered: number;
}

/** Schools by their failed attempts, the most first; those without are left out. */
export function failing(schools: readonly SchoolStrip[], most: number): Failing[] {
  return schools
    .map((school) => ({ school, failed: sum(school.failedByHour), delivered: sum(school.deliveredByHour) }))
    .filter(({ failed }) => failed > 0)
    .sort((a, b) => b.failed - a.failed)
    .slice(0, most);
}

/** Counts by key of several answers together, the highest first. */
export function addUp(counts: readonly Record<string, string>[]): [key: string, count: number][] {
  const all = new Map<string, number>();
  for (const one of counts) {
    for (const [key, count] of Object.entries(one)) all.set(key, (all.get(key) ?? 0) + Number(count));
  }
  return [...all].filter(([key, count]) => key !== "" && count > 0).sort(([, a], [, b]) => b - a);
}

/** Delivered attempts of all in percent, per bucket; `null` where none were made. */
export function successByBucket({ buckets }: Histogram): (number | null)[] {
  return buckets.map((bucket) => {
    const failed = sum(OUTCOMES.slice(1).map((outcome) => Number(bucket[outcome])));
    const share = perMille(Number(bucket.delivered), failed);
    return share === undefined ? null : share / 10;
  });
}

/** All attempts of a histogram with one outcome. */
export const totalOf = ({ buckets }: Histogram, outcome: Outcome) =>
  sum(buckets.map((bucket) => Number(bucket[outcome])));
