import { scan } from "./scan";
import { ALIASES, CAUSES, EVENTS, KEYS, type Key, STATUSES, TRIGGERS } from "./types";

export interface Suggestion {
  /** What is put in the place of `from..to`. */
  text: string;
  from: number;
  to: number;
  /** A word, or a value of one; names its explanation. */
  kind: "key" | "value";
  key: Key;
}

const EXAMPLES: Record<Key, readonly string[]> = {
  status: STATUSES,
  code: ["5xx", "4xx", "none", "503", ">=500", ...CAUSES],
  cause: CAUSES,
  event: ["student.*", ...EVENTS],
  student: [],
  id: [],
  trigger: TRIGGERS,
  try: ["1", ">1", ">3", "2..4"],
  latency: [">500ms", ">2s", "<100ms", "100ms..1s"],
  after: ["-15m", "-1h", "-24h", "-7d"],
  before: ["-15m", "-1h", "-24h"],
};

/** What can be written at a place of a filter's text: words, or the values of the word that it is in. */
export function suggest(text: string, caret: number): Suggestion[] {
  const word = scan(text).find(({ from, to }) => from <= caret && caret <= to);
  if (!word) return keys("", false, caret, caret);
  if (word.name === null || caret <= word.name.to) {
    const to = word.name === null ? word.to : word.name.to + 1;
    const typed = text.slice(word.excluded ? word.from + 1 : word.from, caret);
    return keys(typed, word.excluded, word.from, to);
  }
  const name = word.name.text.toLowerCase();
  const key = KEYS.find((known) => known === name) ?? (Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined);
  const value = word.values.find(({ from, to }) => from <= caret && caret <= to);
  if (!key || !value) return [];
  const typed = text.slice(value.from, caret).toLowerCase();
  const others = new Set(word.values.filter((other) => other !== value).map((other) => other.text.toLowerCase()));
  return EXAMPLES[key]
    .filter((example) => example.startsWith(typed) && example !== value.text && !others.has(example))
    .map((example) => ({ text: example, from: value.from, to: value.to, kind: "value", key }));
}

function keys(typed: string, excluded: boolean, from: number, to: number): Suggestion[] {
  return KEYS.filter((key) => key.startsWith(typed.toLowerCase())).map((key) => ({
    text: `${excluded ? "-" : ""}${key}:`,
    from,
    to,
    kind: "key",
    key,
  }));
}
