import { printTerm, printValues } from "./print";
import type { Key, LogFilter, Term, When } from "./types";

/** The filter with only this value of its word; where it was left out, it no longer is. */
export function include(filter: LogFilter, term: Term): LogFilter {
  const without = dropValues(filter, term, true).filter((known) => known.key !== term.key || known.excluded);
  return [...without, { ...term, excluded: false }];
}

/** The filter with this value left out; where it was asked for, it no longer is. */
export function exclude(filter: LogFilter, term: Term): LogFilter {
  const without = dropValues(filter, term, false);
  const known = without.find((other) => other.key === term.key && other.excluded);
  if (!known || term.key === "after" || term.key === "before") return [...without, { ...term, excluded: true }];
  if (printValues(known).includes(printValues(term)[0] as string)) return without;
  const joined = { ...known, values: [...known.values, ...term.values] } as Term;
  return without.map((other) => (other === known ? joined : other));
}

/** Takes a term's values out of the terms of its word that exclude, or that include. */
function dropValues(filter: LogFilter, term: Term, excluded: boolean): Term[] {
  const dropped = new Set(printValues(term));
  return filter.flatMap((known) => {
    if (known.key !== term.key || known.excluded !== excluded) return [known];
    const texts = printValues(known);
    const values = (known.values as unknown[]).filter((_, index) => !dropped.has(texts[index] as string));
    return values.length > 0 ? [{ ...known, values } as Term] : [];
  });
}

export function removeTerm(filter: LogFilter, at: number): LogFilter {
  return filter.filter((_, index) => index !== at);
}

/** Turns a term from "only these" into "without these", and back. */
export function invertTerm(filter: LogFilter, at: number): LogFilter {
  return filter.map((term, index) => (index === at ? { ...term, excluded: !term.excluded } : term));
}

/** Terms that are new, joined to those that are there. */
export function addTerms(filter: LogFilter, terms: readonly Term[]): LogFilter {
  const known = new Set(filter.map(printTerm));
  return [...filter, ...terms.filter((term) => !known.has(printTerm(term)))];
}

/** The filter over another time; `null` leaves an end open. */
export function setRange(filter: LogFilter, from: When | null, to: When | null): LogFilter {
  const rest = filter.filter(({ key }) => key !== "after" && key !== "before");
  return [
    ...rest,
    ...(from ? [{ key: "after", values: [from], excluded: false } as Term] : []),
    ...(to ? [{ key: "before", values: [to], excluded: false } as Term] : []),
  ];
}

const ms = (when: When, now: number) => ("at" in when ? when.at : now - when.agoS * 1_000);

/** The bounds in Unix ms that follow from the words that include. */
export function rangeOf(filter: LogFilter, now: number): { from: number | null; to: number | null } {
  let [from, to]: [number | null, number | null] = [null, null];
  for (const term of filter) {
    if (term.excluded) continue;
    if (term.key === "after") from = Math.max(from ?? Number.NEGATIVE_INFINITY, ms(term.values[0], now));
    if (term.key === "before") to = Math.min(to ?? Number.POSITIVE_INFINITY, ms(term.values[0], now));
  }
  return { from, to };
}

const PRESET_KEYS: Key[] = ["status", "trigger"];
/** The filters that have a button, by name. They ask for a status or a trigger and leave the rest alone. */
export const PRESETS = {
  all: [],
  problems: [{ key: "status", values: ["failed"], excluded: false }],
  retrying: [{ key: "status", values: ["retrying"], excluded: false }],
  manual: [{ key: "trigger", values: ["resend", "replay", "test"], excluded: false }],
} satisfies Record<string, Term[]>;
export type Preset = keyof typeof PRESETS;

export function applyPreset(filter: LogFilter, preset: Preset): LogFilter {
  return [...PRESETS[preset], ...filter.filter(({ key }) => !PRESET_KEYS.includes(key))];
}

/** The preset that a filter is now, beside words that no preset is about. */
export function presetOf(filter: LogFilter): Preset | null {
  const about = filter
    .filter(({ key }) => PRESET_KEYS.includes(key))
    .map(printTerm)
    .join(" ");
  const names = Object.keys(PRESETS) as Preset[];
  return names.find((name) => PRESETS[name].map(printTerm).join(" ") === about) ?? null;
}
