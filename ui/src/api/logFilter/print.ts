import type { LogFilter, Span, Term, When } from "./types";

/** The canonical text: it reads back to the same filter. */
export function printFilter(filter: LogFilter): string {
  return filter.map(printTerm).join(" ");
}

export function printTerm(term: Term): string {
  return `${term.excluded ? "-" : ""}${term.key}:${printValues(term).join(",")}`;
}

/** The values of a term as they are written. */
export function printValues(term: Term): string[] {
  switch (term.key) {
    case "code":
      return term.values.map((value) => (typeof value === "string" ? value : codeText(value)));
    case "try":
      return term.values.map((value) => spanText(value, String));
    case "latency":
      return term.values.map((value) => spanText(value, latencyText));
    case "after":
    case "before":
      return term.values.map(whenText);
    case "student":
      return term.values.map(quoted);
    default:
      return term.values as string[];
  }
}

function codeText({ from, to }: Span): string {
  if (from === 0 && to === 0) return "none";
  if (from >= 100 && from < 600 && from % 100 === 0 && to === from + 99) return `${from / 100}xx`;
  return spanText({ from, to }, String);
}

function spanText({ from, to }: Span, number: (value: number) => string): string {
  if (from === to) return number(from);
  // Read back, `>n` begins at n + 1: the shorter form where the writer meant it.
  if (to === Number.POSITIVE_INFINITY) return from > 0 ? `>${number(from - 1)}` : `>=${number(from)}`;
  return from === 0 ? `<=${number(to)}` : `${number(from)}..${number(to)}`;
}

export function latencyText(us: number): string {
  if (us % 1_000_000 === 0) return `${us / 1_000_000}s`;
  return us % 1_000 === 0 ? `${us / 1_000}ms` : `${us}us`;
}

export function whenText(when: When): string {
  if ("at" in when) return new Date(when.at).toISOString();
  const { agoS } = when;
  if (agoS % 86_400 === 0) return `-${agoS / 86_400}d`;
  if (agoS % 3_600 === 0) return `-${agoS / 3_600}h`;
  return agoS % 60 === 0 ? `-${agoS / 60}m` : `-${agoS}s`;
}

/** In quotes where blanks, commas, bars or other signs would be misread. */
function quoted(value: string): string {
  if (/^[\p{L}\p{N}._/@:-]+$/u.test(value)) return value;
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
