import { type LogFilter, matches, parseFilter } from "@/api/logFilter";
import type { Attempt, TailAttemptsRequest } from "@/gen/rollcall/provider/v1/log";
import type { Stop, StreamEvent } from "../../host";
import { refusal } from "../host";
import { FAULTS, type Fault } from "./causes";
import { chance, makeAttempt, makeLog, makeMessage } from "./generate";

/** The filter as the server reads it; it refuses what it cannot read. */
export function readFilter(text: string): LogFilter {
  const parsed = parseFilter(text ?? "");
  if (parsed.ok) return parsed.filter;
  const message = `character ${parsed.problem.place}: this cannot be read`;
  throw refusal("invalid_argument", message, { violations: [{ field: "filter", message }] });
}

/** One school's log: what was, and what happens while somebody looks. */
export class FakeLog {
  readonly attempts: Attempt[];
  private readonly next: () => number;
  private listeners = new Set<() => void>();
  private beat: ReturnType<typeof setInterval> | undefined;
  private due = 0;

  constructor(
    seed: number,
    rows: number,
    /** New attempts a second while a tail is open. */
    readonly rate: number,
  ) {
    this.attempts = makeLog(seed, rows, Date.now());
    this.next = chance(seed + 1);
  }

  get head() {
    return Number(this.attempts.at(-1)?.logSequence ?? 0);
  }

  matching(filter: string): Attempt[] {
    const read = readFilter(filter);
    const now = Date.now();
    return this.attempts.filter((attempt) => matches(read, attempt, now));
  }

  of(messageId: string): Attempt[] {
    return this.attempts.filter((attempt) => attempt.messageId === messageId);
  }

  /** Things happen: `count` new attempts. */
  happen(count: number, fault: Fault | null = null) {
    const at = Date.now();
    for (let n = 0; n < count; n++) {
      const failing = fault ?? (this.next() < 0.08 ? (FAULTS[Math.floor(this.next() * FAULTS.length)] as Fault) : null);
      const [first] = makeMessage(1_000_000 + this.head, at, this.next, failing);
      if (first) this.attempts.push({ ...first.attempt, logSequence: String(this.head + 1) });
    }
    this.tell();
  }

  /** A message is sent again, and something comes of it. */
  again(messageId: string, trigger: string, fault: Fault | null = null) {
    const last = this.of(messageId).at(-1);
    if (!last) return;
    const { attempt } = makeAttempt(last, trigger, fault, Date.now(), this.next);
    this.attempts.push({ ...attempt, logSequence: String(this.head + 1) });
    this.tell();
  }

  tail(request: TailAttemptsRequest, emit: (event: StreamEvent) => void): Stop {
    const filter = readFilter(request.filter);
    let cursor = request.afterLogSequence === undefined ? this.head : Number(request.afterLogSequence);
    let told = false;
    const look = () => {
      const now = Date.now();
      const newer = this.attempts.slice(this.attempts.findLastIndex((row) => Number(row.logSequence) <= cursor) + 1);
      const attempts = newer.filter((attempt) => matches(filter, attempt, now));
      cursor = Math.max(cursor, this.head);
      if (told && attempts.length === 0) return;
      told = true;
      emit({ kind: "message", message: { attempts, logSequence: String(cursor) } });
    };
    emit({ kind: "open" });
    look();
    this.listeners.add(look);
    this.run();
    return () => {
      this.listeners.delete(look);
      this.run();
    };
  }

  private run() {
    clearInterval(this.beat);
    if (this.listeners.size === 0 || this.rate === 0) return;
    const step = Math.min(1_000, Math.max(50, 1_000 / this.rate));
    this.beat = setInterval(() => {
      this.due += (this.rate * step) / 1_000;
      const count = Math.floor(this.due);
      this.due -= count;
      if (count > 0) this.happen(count);
    }, step);
  }

  private tell() {
    for (const look of this.listeners) look();
  }
}
