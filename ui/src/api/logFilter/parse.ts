import { scan, type Word } from "./scan";
import {
  ALIASES,
  CAUSES,
  type Cause,
  EVENTS,
  type FilterProblem,
  KEYS,
  type Key,
  type LogFilter,
  type Reason,
  type Span,
  STATUSES,
  type Term,
  TRIGGERS,
  type When,
} from "./types";

const MAX_BYTES = 4_096;
const MAX_WORDS = 32;
const MAX_VALUES = 64;
const MAX_VALUE_CHARS = 255;
/** A day; longer attempts do not exist. */
const MAX_LATENCY_US = 86_400_000_000;
const MAX_AGE_S = 100 * 366 * 86_400;
/** Years 1 to 9999: what the server's clock knows too. */
const [FIRST_MS, LAST_MS] = [-62_135_596_800_000, 253_402_207_200_000];

export type Parsed = { ok: true; filter: LogFilter } | { ok: false; problem: FilterProblem };

/** Thrown inside of this file only. */
class Wrong extends Error {
  constructor(
    readonly reason: Reason,
    readonly from: number,
    readonly to: number,
    readonly value?: string,
  ) {
    super(reason);
  }
}

/** Reads a filter as the server does; a refusal says what is wrong, and where. */
export function parseFilter(text: string): Parsed {
  try {
    if (new TextEncoder().encode(text).length > MAX_BYTES) throw new Wrong("tooLong", 0, text.length);
    const words = scan(text);
    const extra = words[MAX_WORDS];
    if (extra) throw new Wrong("tooManyWords", extra.from, text.length);
    return { ok: true, filter: words.map(readWord) };
  } catch (wrong) {
    if (!(wrong instanceof Wrong)) throw wrong;
    const { reason, from, to, value } = wrong;
    return { ok: false, problem: { reason, from, to, value, place: [...text.slice(0, from)].length + 1 } };
  }
}

function readWord(word: Word): Term {
  const { excluded, name, values } = word;
  if (name === null) throw new Wrong("noColon", word.from, word.to);
  const lower = name.text.toLowerCase();
  const key = KEYS.find((known) => known === lower) ?? (Object.hasOwn(ALIASES, lower) ? ALIASES[lower] : undefined);
  if (!key) throw new Wrong("unknownWord", name.from, Math.max(name.to, name.from + 1), name.text);
  if (word.openQuote) throw new Wrong("openQuote", word.to - 1, word.to);
  if (values.length > MAX_VALUES) throw new Wrong("tooManyValues", word.from, word.to);
  for (const { text, from, to } of values) {
    if (text === "") throw new Wrong("valueMissing", Math.max(from - 1, word.from), Math.max(to, from));
    if ([...text].length > MAX_VALUE_CHARS) throw new Wrong("valueTooLong", from, to);
  }
  const second = values[1];
  if ((key === "after" || key === "before") && second) throw new Wrong("oneTime", second.from, word.to);
  const read = values.map(({ text, from, to }) => {
    const found = READ[key](text);
    if (typeof found === "object" && "wrong" in found) throw new Wrong(found.wrong, from, to, text);
    return found;
  });
  return { excluded, key, values: read } as Term;
}

type Found = string | Span | When | { wrong: Reason };

const READ: Record<Key, (value: string) => Found> = {
  status: oneOf(STATUSES, "status"),
  code,
  cause: oneOf(CAUSES, "cause"),
  event,
  student: (value) => value,
  id: (value) => (/^evt_[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(value) ? value : { wrong: "id" }),
  trigger: oneOf(TRIGGERS, "trigger"),
  try: (value) => span(value, tries),
  latency: (value) => span(value, latency),
  after: when,
  before: when,
};

function oneOf(names: readonly string[], wrong: Reason) {
  return (value: string): Found => names.find((name) => name === value.toLowerCase()) ?? { wrong };
}

function event(value: string): Found {
  const name = value.toLowerCase();
  const fits = name.endsWith("*")
    ? EVENTS.some((known) => known.startsWith(name.slice(0, -1)))
    : EVENTS.some((known) => known === name);
  return fits ? name : { wrong: "event" };
}

function code(value: string): Found {
  const name = value.toLowerCase();
  if (name === "none") return { from: 0, to: 0 };
  if (/^[1-5]xx$/.test(name)) return { from: Number(name[0]) * 100, to: Number(name[0]) * 100 + 99 };
  const cause = CAUSES.find((known) => known === name) as Cause | undefined;
  if (cause) return cause;
  const found = span(value, (text) => (/^\d+$/.test(text) && Number(text) <= 999 ? Number(text) : null));
  return "wrong" in found ? { wrong: "code" } : found;
}

const tries = (text: string) => (/^\d+$/.test(text) && Number(text) <= 1_000_000 ? Number(text) : null);

const UNITS_US: Record<string, number> = { us: 1, µs: 1, "": 1e3, ms: 1e3, s: 1e6, m: 6e7, min: 6e7 };

/** In µs; without a unit ms are meant. */
function latency(text: string): number | null {
  const [, digits, unit = ""] = /^(\d+)(\D*)$/.exec(text.toLowerCase()) ?? [];
  const unitUs = Object.hasOwn(UNITS_US, unit) ? UNITS_US[unit] : undefined;
  if (digits === undefined || unitUs === undefined) return null;
  const us = Number(digits) * unitUs;
  return us <= MAX_LATENCY_US ? us : null;
}

/** `n`, `>n`, `>=n`, `<n`, `<=n` or `a..b`. */
function span(value: string, read: (text: string) => number | null): Span | { wrong: Reason } {
  const [, sign = "", rest = ""] = /^(>=|>|<=|<)?(.*)$/s.exec(value) ?? [];
  const dots = sign ? -1 : rest.indexOf("..");
  const first = read(dots < 0 ? rest : rest.slice(0, dots));
  const second = dots < 0 ? first : read(rest.slice(dots + 2));
  if (first === null || second === null) return { wrong: "number" };
  const spans: Record<string, Span> = {
    ">=": { from: first, to: Number.POSITIVE_INFINITY },
    ">": { from: first + 1, to: Number.POSITIVE_INFINITY },
    "<=": { from: 0, to: first },
    "<": { from: 0, to: first - 1 },
    "": { from: first, to: second },
  };
  const found = spans[sign] as Span;
  return found.from > found.to ? { wrong: "emptySpan" } : found;
}

const AGES: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };
const INSTANT = /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d))?$/;

function when(value: string): Found {
  const age = /^-(\d+)([smhdw])$/.exec(value);
  if (age) {
    const agoS = Number(age[1]) * (AGES[age[2] as string] as number);
    return agoS <= MAX_AGE_S ? { agoS } : { wrong: "time" };
  }
  if (!INSTANT.test(value)) return { wrong: "time" };
  const at = Date.parse(value.replace(/[tT ]/, "T").replace(/z$/, "Z"));
  // `2026-02-30` is read as a day of March by some engines.
  const day = Date.parse(`${value.slice(0, 10)}T00:00:00Z`);
  const exists = !Number.isNaN(day) && new Date(day).toISOString().slice(0, 10) === value.slice(0, 10);
  return exists && at >= FIRST_MS && at <= LAST_MS ? { at } : { wrong: "time" };
}
