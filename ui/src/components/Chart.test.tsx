import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { expectAccessible } from "../../tests/render";
import { Chart } from "./Chart";
import { stack, wholeBuckets } from "./Plot";

const HOUR = 3_600_000;
const axis = { kind: "times" as const, times: [0, HOUR, 2 * HOUR], bucketMs: HOUR };
const series = [
  { name: "Delivered", tone: "delivered" as const, values: [10, 20, 0] },
  { name: "Parked", tone: "parked" as const, values: [1, null, 3] },
];

test("a chart is a picture with a sentence, and the same figures as a table whose rows open a range", async () => {
  const user = userEvent.setup();
  const onRange = vi.fn();
  localStorage.clear();
  render(
    <Chart
      label="Attempts"
      summary="34 attempts in 3 hours"
      axis={axis}
      series={series}
      kind="bars"
      onRange={onRange}
      rangeVerb="Open the log here"
    />,
  );
  expect(screen.getByRole("img", { name: "Attempts. 34 attempts in 3 hours" })).toBeVisible();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "View as table: Attempts" }));
  const rows = screen.getAllByRole("row");
  expect(rows).toHaveLength(4);
  expect(
    within(rows[2] as HTMLElement)
      .getAllByRole("cell")
      .map((cell) => cell.textContent),
  ).toEqual(["20", "–", "Open the log here"]);
  await user.click(within(rows[2] as HTMLElement).getByRole("button", { name: /^Open the log here/ }));
  expect(onRange).toHaveBeenCalledExactlyOnceWith(HOUR, 2 * HOUR);
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "View as chart: Attempts" }));
  expect(screen.getByRole("img")).toBeVisible();
});

test("bars stand on each other", () => {
  expect(stack(series)).toEqual([
    [10, 20, 0],
    [11, 20, 3],
  ]);
});

test("a dragged range becomes whole buckets, at least one, inside the chart", () => {
  expect(wholeBuckets(axis, HOUR + 5, HOUR + 6)).toEqual([HOUR, 2 * HOUR]);
  expect(wholeBuckets(axis, -50, 5 * HOUR)).toEqual([0, 3 * HOUR]);
  expect(wholeBuckets(axis, HOUR / 2, HOUR * 1.5)).toEqual([0, 2 * HOUR]);
});
