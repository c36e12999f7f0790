import { expect, test } from "vitest";
import type { Attempt } from "@/gen/rollcall/provider/v1/log";
import { Prng } from "../../../tests/prng";
import {
  applyPreset,
  CAUSES,
  EVENTS,
  exclude,
  include,
  KEYS,
  type LogFilter,
  matches,
  parseFilter,
  presetOf,
  printFilter,
  rangeOf,
  type Span,
  STATUSES,
  setRange,
  suggest,
  type Term,
  TRIGGERS,
} from ".";

function read(text: string): LogFilter {
  const parsed = parseFilter(text);
  if (!parsed.ok) throw new Error(`${text}: ${JSON.stringify(parsed.problem)}`);
  return parsed.filter;
}
const term = (text: string) => read(text)[0] as Term;
const ID = "evt_01KB0000000000000000000007";

test("the words of the bar are read, and written in one form", () => {
  const text =
    "status:failed,parked code:5xx|timeout event:student.* try:>3 latency:>2s -event:student.updated after:-1h";
  expect(printFilter(read(text))).toBe(text.replace("|", ","));
  expect(read(text).map(({ excluded }) => excluded)).toEqual([false, false, false, false, false, true, false]);
  expect(term("try:>3").values).toEqual([{ from: 4, to: Number.POSITIVE_INFINITY }]);
  expect(term("latency:>2s").values).toEqual([{ from: 2_000_001, to: Number.POSITIVE_INFINITY }]);
  expect(term("since:-1h")).toEqual({ key: "after", excluded: false, values: [{ agoS: 3_600 }] });
  expect(read(" \t ")).toEqual([]);
});

test("the forms of values are the server's", () => {
  expect(term("latency:500").values).toEqual([{ from: 500_000, to: 500_000 }]);
  expect(term("latency:10us..1s").values).toEqual([{ from: 10, to: 1_000_000 }]);
  expect(term("latency:5µs").values).toEqual([{ from: 5, to: 5 }]);
  expect(term("TRY:<3").values).toEqual([{ from: 0, to: 2 }]);
  expect(term("code:none").values).toEqual([{ from: 0, to: 0 }]);
  expect(term("until:2026-11-23").values).toEqual([{ at: 1_795_392_000_000 }]);
  expect(term("before:2026-11-23T00:00:00.5Z").values).toEqual([{ at: 1_795_392_000_500 }]);
  expect(term('student:"a, \\"b\\" \\\\ c",S-1').values).toEqual(['a, "b" \\ c', "S-1"]);
  expect(term(`message:${ID}`)).toEqual({ key: "id", excluded: false, values: [ID] });
  expect(term('type:"student.created"').key).toBe("event");
  expect(term("event:*").values).toEqual(["*"]);
});

const REFUSED: [text: string, reason: string, place: number, atFault: string][] = [
  ["status:failed cod:5xx", "unknownWord", 15, "cod"],
  ["é status:", "noColon", 1, "é"],
  ["😀:x", "unknownWord", 1, "😀"],
  ["😀 code:6xx", "noColon", 1, "😀"],
  ['student:"😀" code:6xx', "code", 18, "6xx"],
  ["code:5xx  status:lost", "status", 18, "lost"],
  ["cause:gremlins", "cause", 7, "gremlins"],
  ["event:teacher.*", "event", 7, "teacher.*"],
  ["status:", "valueMissing", 7, ":"],
  ["status:failed,", "valueMissing", 14, ","],
  ['student:"S-1', "openQuote", 12, "1"],
  ["try:>many", "number", 5, ">many"],
  ["try:4..2", "emptySpan", 5, "4..2"],
  ["try:<0", "emptySpan", 5, "<0"],
  ["try:+1", "number", 5, "+1"],
  ["try:>1..2", "number", 5, ">1..2"],
  ["since:yesterday", "time", 7, "yesterday"],
  ["since:-é", "time", 7, "-é"],
  ["since:2026-02-30", "time", 7, "2026-02-30"],
  ["since:-1h,-2h", "oneTime", 11, "-2h"],
  ["id:evt_1", "id", 4, "evt_1"],
  ["trigger:magic", "trigger", 9, "magic"],
  ["latency:>2parsecs", "number", 9, ">2parsecs"],
  ["latency:99999999999999999999s", "number", 9, "99999999999999999999s"],
  ["constructor:1", "unknownWord", 1, "constructor"],
];

test.each(REFUSED)("%s is refused with its place", (text, reason, place, atFault) => {
  const parsed = parseFilter(text);
  if (parsed.ok) throw new Error("was read");
  const { from, to, ...problem } = parsed.problem;
  expect({ reason: problem.reason, place: problem.place }).toEqual({ reason, place });
  expect(text.slice(from, to)).toBe(atFault);
});

test("what is too large is refused", () => {
  const reason = (text: string) => {
    const parsed = parseFilter(text);
    return parsed.ok ? null : parsed.problem.reason;
  };
  expect(reason("x".repeat(5_000))).toBe("tooLong");
  expect(reason("try:1 ".repeat(33))).toBe("tooManyWords");
  expect(reason(`try:${"1,".repeat(64)}1`)).toBe("tooManyValues");
  expect(reason(`student:${"x".repeat(256)}`)).toBe("valueTooLong");
});

function span(chance: Prng, max: number): Span {
  const [a, b] = [chance.int(0, max), chance.int(0, max)];
  if (chance.chance(0.4)) return { from: a, to: Number.POSITIVE_INFINITY };
  return { from: Math.min(a, b), to: Math.max(a, b) };
}

function randomTerm(chance: Prng): Term {
  const key = chance.pick(KEYS);
  const when = () =>
    chance.chance(0.5)
      ? { at: chance.int(-60_000_000_000_000, 250_000_000_000_000) }
      : { agoS: chance.int(0, 1_000_000_000) };
  const id = () => `evt_${chance.int(0, 7)}${chance.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 25, 25)}`;
  const make: Record<string, () => unknown> = {
    status: () => chance.pick(STATUSES),
    code: () => (chance.chance(0.5) ? span(chance, 999) : chance.pick(CAUSES)),
    cause: () => chance.pick(CAUSES),
    event: () => chance.pick([...EVENTS, "student.*", "*", "connection.t*"]),
    student: () => chance.text(' ,|"\\aZéß漢😀:->=.0-\t', 1, 12),
    id,
    trigger: () => chance.pick(TRIGGERS),
    try: () => span(chance, 1_000_000),
    latency: () => span(chance, 86_400_000_000),
    after: when,
    before: when,
  };
  const most = key === "after" || key === "before" ? 1 : 4;
  return { key, excluded: chance.chance(0.3), values: chance.list(1, most, make[key] as () => unknown) } as Term;
}

test("every filter is read back from its text as it was", () => {
  for (let seed = 1; seed <= 3_000; seed++) {
    const chance = new Prng(seed);
    const filter = chance.list(0, 6, () => randomTerm(chance));
    const text = printFilter(filter);
    const parsed = parseFilter(text);
    expect(parsed, `seed ${seed}: ${text}`).toEqual({ ok: true, filter });
  }
});

test("any text is read or refused with a place inside of it, and what is read stays the same", () => {
  for (let seed = 1; seed <= 5_000; seed++) {
    const chance = new Prng(seed);
    const word = () =>
      `${chance.pick(["", "-"])}${chance.chance(0.7) ? chance.pick(KEYS) : chance.text("abct", 0, 5)}${chance.pick([":", ":", ""])}${chance.text('-<>=.0129axhsmµé"\\,|:x', 0, 10)}`;
    const text = chance.list(0, 4, word).join(chance.pick([" ", "  ", "\t"]));
    const parsed = parseFilter(text);
    if (parsed.ok) {
      expect(read(printFilter(parsed.filter)), `seed ${seed}: ${text}`).toEqual(parsed.filter);
    } else {
      const { from, to, place } = parsed.problem;
      expect(from >= 0 && from < to && to <= text.length && place >= 1, `seed ${seed}: ${text}`).toBe(true);
    }
    for (let caret = 0; caret <= text.length; caret++) {
      for (const offer of suggest(text, caret)) {
        expect(offer.from <= caret && caret <= offer.to, `seed ${seed}: ${text} at ${caret}`).toBe(true);
      }
    }
  }
});

test("what is offered can be taken and read", () => {
  const texts = (text: string, caret = text.length) => suggest(text, caret).map((offer) => offer.text);
  expect(texts("")).toEqual(KEYS.map((key) => `${key}:`));
  expect(texts("st")).toEqual(["status:", "student:"]);
  expect(texts("-s")).toEqual(["-status:", "-student:"]);
  expect(texts("status:")).toEqual([...STATUSES]);
  expect(texts("status:failed,p")).toEqual(["parked"]);
  expect(texts("status:failed,")).not.toContain("failed");
  expect(texts("type:conn")).toEqual(["connection.test"]);
  expect(texts("nonsense:")).toEqual([]);
  for (const key of KEYS) {
    for (const { text, from, to } of suggest(`${key}:`, key.length + 1)) {
      const taken = `${key}:`.slice(0, from) + text + `${key}:`.slice(to);
      expect(parseFilter(taken).ok, taken).toBe(true);
    }
  }
});

test("a click on a cell narrows to its value or leaves it out", () => {
  const after = (text: string, act: (filter: LogFilter, term: Term) => LogFilter, value: string) =>
    printFilter(act(read(text), term(value)));
  expect(after("status:failed after:-1h", include, "status:parked")).toBe("after:-1h status:parked");
  expect(after("-status:parked,held", include, "status:parked")).toBe("-status:held status:parked");
  expect(after("-code:503", include, "code:503")).toBe("code:503");
  expect(after("status:parked,held", exclude, "status:parked")).toBe("status:held -status:parked");
  expect(after("-status:parked", exclude, "status:held")).toBe("-status:parked,held");
  expect(after("-status:parked", exclude, "status:parked")).toBe("-status:parked");
  expect(after("code:503", exclude, "code:503")).toBe("-code:503");
});

test("presets ask for a status or a trigger and leave the rest alone", () => {
  const filter = read("status:parked code:5xx after:-1h");
  expect(printFilter(applyPreset(filter, "problems"))).toBe("status:failed code:5xx after:-1h");
  expect(printFilter(applyPreset(filter, "manual"))).toBe("trigger:resend,replay,test code:5xx after:-1h");
  expect(printFilter(applyPreset(filter, "all"))).toBe("code:5xx after:-1h");
  expect([presetOf(filter), presetOf(read("code:5xx")), presetOf(read("status:failed"))]).toEqual([
    null,
    "all",
    "problems",
  ]);
});

test("a brushed time takes the place of the one before", () => {
  const brushed = setRange(read("after:-1h status:failed before:-5m"), { at: 0 }, { at: 60_000 });
  expect(printFilter(brushed)).toBe("status:failed after:1970-01-01T00:00:00.000Z before:1970-01-01T00:01:00.000Z");
  expect(rangeOf(brushed, 0)).toEqual({ from: 0, to: 60_000 });
  expect(rangeOf(read("after:-1m after:-2m -before:-5m"), 600_000)).toEqual({ from: 540_000, to: null });
});

test("the fake's server lets through what the real one does", () => {
  const attempt = {
    status: "parked",
    code: 503,
    cause: "http",
    eventType: "student.updated",
    studentId: "stu_1",
    studentSourcedId: "S-1",
    messageId: ID,
    trigger: "automatic",
    tryNumber: 5,
    latencyUs: 2_000_001,
    at: "2026-11-23T12:00:00.000Z",
  } as Attempt;
  const passes = (text: string) => matches(read(text), attempt, Date.parse("2026-11-23T12:30:00Z"));
  const yes = `status:failed code:5xx code:timeout,http event:student.* student:S-1 student:stu_1 id:${ID} try:>4 latency:>2s after:-1h before:-5m -status:delivered before:2026-11-24`;
  for (const word of yes.split(" ")) expect(passes(word), word).toBe(true);
  for (const word of "status:delivered,held code:none -code:5xx event:connection.test try:<5 latency:<2s after:-5m before:2026-11-23T12:00:00Z trigger:resend".split(
    " ",
  )) {
    expect(passes(word), word).toBe(false);
  }
});
