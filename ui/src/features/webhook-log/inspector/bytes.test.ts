import { expect, test } from "vitest";
import { Prng } from "../../../../tests/prng";
import { fromBase64, hexDump, prettyJson, toText } from "./bytes";

test("pretty changes nothing but blanks: keys keep their order, numbers their digits", () => {
  const text = '{"b":1.50,"10":[],"2":{},"a":[1e3,{"x":"a, {b}: \\"c\\""},12345678901234567890],"é":null}';
  const pretty = prettyJson(text);
  expect(pretty).toBe(
    `{\n  "b": 1.50,\n  "10": [],\n  "2": {},\n  "a": [\n    1e3,\n    {\n      "x": "a, {b}: \\"c\\""\n    },\n    12345678901234567890\n  ],\n  "é": null\n}`,
  );
  expect(prettyJson("<html>")).toBe("<html>");
  expect(prettyJson("")).toBe("");
  expect(prettyJson('"one"')).toBe('"one"');
});

function value(chance: Prng, depth: number): unknown {
  if (depth > 0 && chance.chance(0.5)) {
    if (chance.chance(0.5)) return chance.list(0, 3, () => value(chance, depth - 1));
    return Object.fromEntries(
      chance.list(0, 3, () => [chance.text('ab {}[]:,"\\\n ', 0, 6), value(chance, depth - 1)]),
    );
  }
  return chance.pick([null, true, 0, -1.5, 1e300, chance.text('x {}[]:,"\\\n\t  ', 0, 8)]);
}

test("pretty JSON means the same, and without blanks outside of texts it is the same", () => {
  for (let seed = 1; seed <= 1_000; seed++) {
    const text = JSON.stringify(value(new Prng(seed), 4));
    const pretty = prettyJson(text);
    expect(JSON.stringify(JSON.parse(pretty)), `seed ${seed}`).toBe(text);
  }
});

test("bytes are shown as they are", () => {
  const bytes = fromBase64(btoa("Hi \u00ff{\n"));
  expect(hexDump(bytes)).toBe("000000  48 69 20 ff 7b 0a                                Hi ·{·");
  expect(toText(fromBase64("w6k="))).toBe("é");
  expect(hexDump(new Uint8Array(40)).split("\n")).toHaveLength(3);
});
