import type { ReceivedEvent } from "@/gen/rollcall/school/v1/receiver";

export const VERDICTS = ["verified", "duplicate", "bad_signature", "too_old", "rejected"] as const;
export type Verdict = (typeof VERDICTS)[number];

/**
 * What a tail brought after `last`: rows that are new, in order, and how many numbers it skipped. Each row's number is one
 * more than that of the row before, so nothing is lost without being seen.
 */
export function taken(last: number, arrived: readonly ReceivedEvent[]) {
  const rows: ReceivedEvent[] = [];
  let missed = 0;
  let at = last;
  for (const row of arrived) {
    const number = Number(row.number);
    if (number <= at) continue;
    missed += number - at - 1;
    at = number;
    rows.push(row);
  }
  return { rows, missed, last: at };
}

/** Both lists as one, newest first, each row once. */
export function merged(
  live: readonly ReceivedEvent[],
  read: readonly ReceivedEvent[],
  verdicts: readonly Verdict[],
): ReceivedEvent[] {
  const passes = (row: ReceivedEvent) => verdicts.length === 0 || verdicts.some((verdict) => verdict === row.verdict);
  const highest = read[0] ? Number(read[0].number) : 0;
  const above = live.filter((row) => Number(row.number) > highest && passes(row)).reverse();
  return [...above, ...read];
}
