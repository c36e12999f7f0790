/**
 * The delivery log's filter, as the server reads it: words joined by "and", the values of one word by "or", a leading
 * `-` excludes. `status:failed,parked code:5xx|timeout event:student.* try:>3 latency:>2s -event:student.updated after:-1h`
 */

export const STATUSES = ["delivered", "retrying", "parked", "held", "failed"] as const;
export const CAUSES = [
  "dns",
  "connect",
  "tls",
  "timeout",
  "reset",
  "redirect",
  "http",
  "too_large",
  "blocked",
  "gone",
  "rate_limited",
  "protocol",
  "internal",
] as const;
export const TRIGGERS = ["automatic", "resend", "replay", "probe", "test"] as const;
export const EVENTS = [
  "student.created",
  "student.updated",
  "student.enrolled",
  "student.withdrawn",
  "student.deleted",
  "connection.test",
  "roster.checkpoint",
] as const;

export type Status = (typeof STATUSES)[number];
export type Cause = (typeof CAUSES)[number];
export type Trigger = (typeof TRIGGERS)[number];

/** Whole numbers from `from` to `to`, both included; `Infinity` is open. */
export interface Span {
  from: number;
  to: number;
}

/** A time: Unix ms, or whole seconds before now. */
export type When = { at: number } | { agoS: number };

export type Test =
  | { key: "status"; values: Status[] }
  /** The HTTP code (0: no answer), or why there was none. */
  | { key: "code"; values: (Span | Cause)[] }
  | { key: "cause"; values: Cause[] }
  /** A type, or the beginning of one with `*` behind it. */
  | { key: "event"; values: string[] }
  /** A sourcedId or `stu_…`. */
  | { key: "student"; values: string[] }
  /** `evt_…` */
  | { key: "id"; values: string[] }
  | { key: "trigger"; values: Trigger[] }
  | { key: "try"; values: Span[] }
  /** The whole attempt, in µs. */
  | { key: "latency"; values: Span[] }
  /** At or after. */
  | { key: "after"; values: [When] }
  | { key: "before"; values: [When] };

export type Key = Test["key"];
export type Term = Test & { excluded: boolean };
/** All of its terms must hold; none lets everything through. */
export type LogFilter = readonly Term[];

export const KEYS: readonly Key[] = [
  "status",
  "code",
  "cause",
  "event",
  "student",
  "id",
  "trigger",
  "try",
  "latency",
  "after",
  "before",
];

/** Other names of words. */
export const ALIASES: Record<string, Key> = { type: "event", message: "id", since: "after", until: "before" };

/** What cannot be read, and where. */
export interface FilterProblem {
  /** UTF-16 offsets into the text: what is at fault. */
  from: number;
  to: number;
  /** The place of the first character at fault, from 1, as people and the server count. */
  place: number;
  /** What is wrong. */
  reason: Reason;
  /** The value at fault, where it is one. */
  value?: string;
}

export type Reason =
  | "tooLong"
  | "tooManyWords"
  | "noColon"
  | "unknownWord"
  | "openQuote"
  | "tooManyValues"
  | "valueMissing"
  | "valueTooLong"
  | "status"
  | "code"
  | "cause"
  | "event"
  | "id"
  | "trigger"
  | "number"
  | "emptySpan"
  | "time"
  | "oneTime";
