import type { Attempt } from "@/gen/rollcall/provider/v1/log";
import { rangeOf } from "./edit";
import type { LogFilter, Span, Term } from "./types";

const within = (value: number, spans: Span[]) => spans.some(({ from, to }) => value >= from && value <= to);

/** Whether an attempt passes, by the server's rules. */
export function matches(filter: LogFilter, attempt: Attempt, now: number): boolean {
  return filter.every((term) => fits(term, attempt, now) !== term.excluded);
}

function fits(term: Term, attempt: Attempt, now: number): boolean {
  switch (term.key) {
    case "status":
      return term.values.some((v) => (v === "failed" ? attempt.status !== "delivered" : v === attempt.status));
    case "code":
      return term.values.some((v) => (typeof v === "string" ? v === attempt.cause : within(attempt.code, [v])));
    case "cause":
      return term.values.some((v) => v === attempt.cause);
    case "event":
      return term.values.some((v) =>
        v.endsWith("*") ? attempt.eventType.startsWith(v.slice(0, -1)) : attempt.eventType === v,
      );
    case "student":
      return term.values.some((v) => v === attempt.studentId || v === attempt.studentSourcedId);
    case "id":
      return term.values.includes(attempt.messageId);
    case "trigger":
      return term.values.some((v) => v === attempt.trigger);
    case "try":
      return within(attempt.tryNumber, term.values);
    case "latency":
      return within(attempt.latencyUs, term.values);
    default: {
      const { from, to } = rangeOf([{ ...term, excluded: false }], now);
      const at = Date.parse(attempt.at ?? "");
      return (from === null || at >= from) && (to === null || at < to);
    }
  }
}
