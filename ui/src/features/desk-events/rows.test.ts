import { expect, test } from "vitest";
import type { ReceivedEvent } from "@/gen/rollcall/school/v1/receiver";
import { merged, taken } from "./rows";

const row = (number: number, verdict = "verified") => ({ number: String(number), verdict }) as ReceivedEvent;
const numbers = (rows: readonly ReceivedEvent[]) => rows.map(({ number }) => Number(number));

test("what comes twice is taken once, and skipped numbers are counted", () => {
  const news = taken(10, [row(9), row(10), row(11), row(11), row(14), row(15)]);
  expect(numbers(news.rows)).toEqual([11, 14, 15]);
  expect(news.missed).toBe(2);
  expect(news.last).toBe(15);
  expect(taken(15, [])).toEqual({ rows: [], missed: 0, last: 15 });
});

test("live rows lie above those that were read, newest first, each once", () => {
  const live = [row(11), row(12), row(13)];
  expect(numbers(merged(live, [row(12), row(11), row(10)], []))).toEqual([13, 12, 11, 10]);
  expect(numbers(merged(live, [], []))).toEqual([13, 12, 11]);
});

test("a filter holds for live rows, too", () => {
  const live = [row(11), row(12, "too_old"), row(13, "duplicate")];
  expect(numbers(merged(live, [row(4, "too_old")], ["too_old"]))).toEqual([12, 4]);
});
