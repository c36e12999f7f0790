import type { Attempt } from "@/gen/rollcall/provider/v1/log";
import { seq } from "./rows";

/** Log sequences from `from` to `to`, both included. */
export interface Missed {
  from: number;
  to: number;
}

/**
 * How far a tail came, and what it left out. Each answer of a tail says up to where the log was searched. Without a
 * filter the log is gap-free, so every number that is skipped is a lost row. With one, the skipped rows are those that
 * do not match: only the server can tell, and nothing is called missed.
 */
export class Sequence {
  /** Everything up to here was told; `null` before the first answer. */
  cursor: number | null = null;
  missed: Missed[] = [];

  constructor(private readonly filtered: boolean) {}

  get missedRows(): number {
    return this.missed.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  }

  /** Takes an answer. `first`: it told where the log ends. `back`: the log is shorter than it was. */
  take(rows: readonly Attempt[], upTo: number): "first" | "next" | "back" {
    if (this.cursor === null) {
      this.cursor = upTo;
      return "first";
    }
    if (upTo < this.cursor) return "back";
    if (!this.filtered) {
      let expected = this.cursor + 1;
      for (const row of rows) {
        if (seq(row) > expected) this.missed.push({ from: expected, to: seq(row) - 1 });
        expected = Math.max(expected, seq(row) + 1);
      }
      if (upTo >= expected) this.missed.push({ from: expected, to: upTo });
    }
    this.cursor = upTo;
    return "next";
  }

  /** These were looked for: what of them exists is there now. Answers how many they were. */
  settle(looked: readonly Missed[]): number {
    const [before, done] = [this.missedRows, new Set(looked)];
    this.missed = this.missed.filter((range) => !done.has(range));
    return before - this.missedRows;
  }
}
