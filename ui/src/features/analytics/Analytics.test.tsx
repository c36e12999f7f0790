import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { refusal } from "@/shell/fake/host";
import { expectAccessible, openProvider } from "../../../tests/render";
import { addUp, failing, successByBucket, together } from "./figures";

const STATS = {
  attempts: "200",
  byStatus: { delivered: "190", retrying: "10" },
  byCause: { timeout: "7", tls: "3" },
  latencyP50Us: 40_000,
  latencyP95Us: 410_000,
  latencyP99Us: 1_900_000,
  pending: "0",
  parked: "0",
  oldestPendingAt: undefined,
};
const bucket = (from: string, delivered: string, retrying = "0") => ({
  from,
  delivered,
  retrying,
  parked: "0",
  held: "0",
  failed: "0",
});

/** What was left for the log window that was opened. */
function leftFor(opened: { request: unknown } | undefined) {
  const { school } = (opened?.request ?? {}) as { school?: string };
  return JSON.parse(localStorage.getItem(`rollcall.log.filter.${school}`) ?? "null");
}

test("all schools: figures, attempts as chart and table, the worst schools lead into their logs", async () => {
  const { user, host } = openProvider("/analytics", { calls: { "LogService/GetStats": () => STATS } });
  expect(await screen.findByText("Delivered, of all attempts")).toBeVisible();
  expect(screen.getByRole("img", { name: /^Attempts by outcome\. [\d,]+ delivered, [\d,]+ not\.$/ })).toBeVisible();
  await user.click(screen.getByRole("button", { name: "View as table: Attempts by outcome" }));
  expect(within(screen.getByRole("figure", { name: "Attempts by outcome" })).getAllByRole("row")).toHaveLength(25);
  const worst = screen.getByRole("table", { name: "Schools with the most failures" });
  expect(await within(worst).findAllByText("1.9 s")).not.toHaveLength(0);
  expect(within(screen.getByRole("table", { name: "Why attempts failed" })).getByText("Too slow")).toBeVisible();
  await expectAccessible();
  await user.click(within(worst).getByRole("button", { name: /^Open the log here: Riverside Elementary/ }));
  await waitFor(() => expect(host.made.at(-1)?.method).toBe("open_log_window"));
  expect(leftFor(host.made.at(-1))).toMatchObject({
    filter: "status:failed after:-24h",
  });
});

test("one school: percentiles, attempts until it arrived, and a range opens the log there", async () => {
  const { user, host } = openProvider("/analytics", {
    calls: {
      "LogService/GetStats": () => STATS,
      "LogService/GetHistogram": ({ filter }) => ({
        buckets: filter
          ? [bucket("2026-11-25T10:00:00Z", filter.endsWith("try:1") ? "170" : "5")]
          : [bucket("2026-11-25T10:00:00Z", "100", "10"), bucket("2026-11-25T11:00:00Z", "90")],
        bucketMs: "3600000",
        searchedUntil: undefined,
      }),
    },
  });
  await user.click(await screen.findByRole("combobox", { name: "School" }));
  await user.click(await screen.findByTitle("Oak Middle School"));
  expect(await screen.findByText("95 %")).toBeVisible();
  for (const figure of ["40 ms", "410 ms", "1.9 s"]) expect(screen.getByText(figure)).toBeVisible();
  await user.click(await screen.findByRole("button", { name: "View as table: Attempts until it arrived" }));
  const tries = within(screen.getByRole("figure", { name: "Attempts until it arrived" })).getAllByRole("cell");
  expect(tries.map((cell) => cell.textContent)).toEqual(["170", "5", "5", "5", "5"]);
  await user.click(screen.getByRole("button", { name: "View as table: Attempts by outcome" }));
  const attempts = within(screen.getByRole("figure", { name: "Attempts by outcome" }));
  await user.click(attempts.getAllByRole("button", { name: /^Open the log here/ })[1] as HTMLElement);
  await waitFor(() => expect(host.made.at(-1)?.method).toBe("open_log_window"));
  expect(leftFor(host.made.at(-1))).toMatchObject({
    filter: "after:2026-11-25T11:00:00.000Z before:2026-11-25T12:00:00.000Z",
  });
});

test("no school yet, and a failure with its way out", async () => {
  let fails = true;
  const { user } = openProvider("/analytics", {
    calls: {
      "LogService/GetOverview": () => {
        if (fails) throw refusal("internal", "the figures are away");
        return { schools: [], attention: [] };
      },
    },
  });
  expect(await screen.findByText("the figures are away")).toBeVisible();
  fails = false;
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByText(/There is no school yet/)).toBeVisible();
});

test("counts add up by key and hour; who did not fail is not among the worst", () => {
  expect(
    addUp([
      { timeout: "2", tls: "9" },
      { timeout: "8", "": "4" },
    ]),
  ).toEqual([
    ["timeout", 10],
    ["tls", 9],
  ]);
  const strip = (schoolId: string, deliveredByHour: number[], failedByHour: number[]) =>
    ({ schoolId, deliveredByHour, failedByHour }) as Parameters<typeof failing>[0][number];
  const strips = [strip("a", [1, 2], [0, 0]), strip("b", [5, 5], [1, 3])];
  expect(together(strips, "deliveredByHour")).toEqual([6, 7]);
  expect(failing(strips, 8).map(({ school, failed }) => [school.schoolId, failed])).toEqual([["b", 4]]);
  const buckets = [bucket("", "9", "1"), bucket("", "0")];
  expect(successByBucket({ buckets, bucketMs: "1", searchedUntil: undefined })).toEqual([90, null]);
});
