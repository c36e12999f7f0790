import { expect, test } from "vitest";
import { type App, colours, type Mode, TONES } from "./tokens";

/** Relative luminance, WCAG 2.2. */
function luminance(hex: string): number {
  const channel = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const looks = (["provider", "school"] as App[]).flatMap((app) =>
  (["light", "dark"] as Mode[]).map((mode) => [app, mode] as const),
);

test.each(looks)("text of %s, %s, has a contrast of 4.5 and marks of 3", (app, mode) => {
  const all = colours(app, mode);
  const ratio = (a: string, b: string) => contrast(all[a] as string, all[b] as string);
  for (const ground of ["canvas", "surface", "surface-2"]) {
    for (const text of ["text-1", "text-2", "text-3"]) {
      expect(ratio(text, ground), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
    expect(ratio("control", ground), `control on ${ground}`).toBeGreaterThanOrEqual(3);
  }
  expect(ratio("accent-text", "surface")).toBeGreaterThanOrEqual(4.5);
  expect(ratio("accent-text", "accent-selected")).toBeGreaterThanOrEqual(4.5);
  for (const solid of ["accent-solid", "accent-hover"]) {
    expect(contrast("#FFFFFF", all[solid] as string), `white on ${solid}`).toBeGreaterThanOrEqual(4.5);
  }
  for (const tone of Object.keys(TONES)) {
    expect(ratio(`${tone}-text`, `${tone}-tint`), tone).toBeGreaterThanOrEqual(4.5);
    expect(ratio(`${tone}-text`, "surface"), tone).toBeGreaterThanOrEqual(4.5);
    expect(ratio(`${tone}-mark`, "surface"), tone).toBeGreaterThanOrEqual(3);
  }
});

test("the measure itself finds a pair that is too weak", () => {
  expect(contrast("#999999", "#FFFFFF")).toBeLessThan(4.5);
  expect(contrast("#000000", "#FFFFFF")).toBeCloseTo(21, 5);
});
