import { screen, waitFor, within } from "@testing-library/react";
import { expect, onTestFinished, test, vi } from "vitest";
import type { AttentionItem, Overview } from "@/gen/rollcall/provider/v1/log";
import { FakeHost, refusal } from "@/shell/fake/host";
import { DISTRICTS } from "@/shell/fake/seed";
import { providerAnswers } from "@/shell/fake/world";
import { expectAccessible, openProvider } from "../../../tests/render";

const AT = "2026-11-23T16:05:12.000Z";

function overview(more: Partial<Overview> = {}): Overview {
  return {
    at: AT,
    lastDay: { attempts: "2000", delivered: "1990", deliveredPerMille: 995, latencyP95Us: 412_000 },
    dayBefore: { attempts: "1800", delivered: "1798", deliveredPerMille: 999, latencyP95Us: 371_000 },
    pending: "4",
    parked: "7",
    held: "0",
    oldestUndeliveredAt: "2026-11-23T14:05:12.000Z",
    oldestUndeliveredMessage: "evt_1",
    schools: [
      {
        schoolId: "sch_1",
        schoolName: "Lincoln",
        districtId: "dst_1",
        state: "CONNECTION_STATE_ACTIVE",
        deliveredByHour: Array(24).fill(10),
        failedByHour: [...Array(23).fill(0), 2],
        pending: "4",
        parked: "7",
        held: "0",
        lastDeliveredAt: AT,
      },
    ],
    schoolsTotal: 1,
    attention: [],
    attentionTotal: 0,
    dayAgo: {
      at: "2026-11-22T16:00:00.000Z",
      pending: "9",
      parked: "4",
      held: "1",
      oldestUndeliveredAt: "2026-11-22T15:30:00.000Z",
    },
    ...more,
  };
}

const item = (kind: string, more: Partial<AttentionItem> = {}): AttentionItem => ({
  kind,
  severity: "warning",
  schoolId: "sch_1",
  schoolName: "Lincoln",
  runId: "",
  messageId: "",
  districtId: "dst_1",
  count: "3",
  since: AT,
  message: `About ${kind}.`,
  ...more,
});

const open = (data: Overview) => openProvider("/", { calls: { "LogService/GetOverview": () => data } });

test("nothing to do is said with the time of the last check", async () => {
  open(overview());
  const section = await screen.findByRole("region", { name: "Needs attention" });
  expect(within(section).getByText("All clear: nothing needs attention")).toBeVisible();
  expect(section).toHaveTextContent(/Last check 2026-11-23 \d\d:05$/);
  await expectAccessible();
});

test("the four figures stand with what they changed by", async () => {
  open(overview());
  const figures = await screen.findByRole("region", { name: "Figures" });
  expect(figures).toHaveTextContent("99.5 %−0.4 points against the day before · 2,000 attempts");
  expect(figures).toHaveTextContent(/2 h 0 min\+1 h 30 min since yesterday · made 2026-11-23/);
  expect(figures).toHaveTextContent("Parked messages7+3 since yesterday · 4 waiting, 0 held");
  expect(figures).toHaveTextContent("412 ms+41 ms against the day before");
});

test("what waits less than yesterday is told so, and nothing is made up where nothing was kept", async () => {
  const before = overview().dayAgo as NonNullable<Overview["dayAgo"]>;
  const { unmount } = open(overview({ parked: "1", oldestUndeliveredAt: "2026-11-23T16:00:12.000Z" }));
  const figures = await screen.findByRole("region", { name: "Figures" });
  expect(figures).toHaveTextContent(/Oldest undelivered5 min 0 s−25 min 0 s since yesterday/);
  expect(figures).toHaveTextContent("Parked messages1−3 since yesterday");
  unmount();
  const calm = open(overview({ parked: "4", dayAgo: { ...before, oldestUndeliveredAt: undefined } }));
  const same = await screen.findByRole("region", { name: "Figures" });
  expect(same).toHaveTextContent("Parked messages4as yesterday");
  expect(same).toHaveTextContent("2 h 0 minnone yesterday");
  calm.unmount();
  open(overview({ dayAgo: undefined }));
  const first = await screen.findByRole("region", { name: "Figures" });
  expect(within(first).getAllByText(/^nothing known of yesterday/)).toHaveLength(2);
});

test("a day without attempts makes no figure up", async () => {
  const none = { attempts: "0", delivered: "0", deliveredPerMille: undefined, latencyP95Us: 0 };
  open(overview({ lastDay: none, dayBefore: none, oldestUndeliveredAt: undefined, parked: "0" }));
  const figures = await screen.findByRole("region", { name: "Figures" });
  expect(within(figures).getAllByText("nothing sent")).toHaveLength(2);
  expect(figures).toHaveTextContent("Oldest undeliverednone");
});

test("at most seven things to look at, the rest is counted", async () => {
  const items = Array.from({ length: 9 }, (_, index) => item("parked", { schoolId: `sch_${index}` }));
  open(overview({ attention: items, attentionTotal: 12 }));
  const section = await screen.findByRole("region", { name: "Needs attention" });
  expect(within(section).getAllByRole("listitem")).toHaveLength(7);
  expect(section).toHaveTextContent("5 more");
  await expectAccessible();
});

test.each([
  ["enrollment_compromised", "Issue a new code", "#/schools/sch_1?tab=secrets"],
  ["code_expired", "Issue a new code", "#/schools/sch_1?tab=secrets"],
  ["secret_revoked", "See secrets", "#/schools/sch_1?tab=secrets"],
  ["connection_held", "Open school", "#/schools/sch_1?tab=overview"],
  ["paused", "Open school", "#/schools/sch_1?tab=overview"],
  ["parked", "See undelivered", "#/undelivered"],
  ["import_hold", "Open import", "#/imports/run_1"],
  ["something_of_a_newer_server", "Open school", "#/schools/sch_1?tab=overview"],
])("%s has one action, which opens a place", async (kind, act, place) => {
  const attention = [item(kind, { runId: kind.startsWith("import") ? "run_1" : "" })];
  const { user } = open(overview({ attention, attentionTotal: 1 }));
  const row = within(await screen.findByRole("region", { name: "Needs attention" })).getByRole("listitem");
  expect(row).toHaveTextContent(`About ${kind}.`);
  const [button, ...others] = within(row).getAllByRole("button");
  expect(others).toEqual([]);
  expect(button).toHaveTextContent(act);
  await user.click(button as HTMLElement);
  await waitFor(() => expect(window.location.hash).toBe(place));
});

test("what does not get through opens the school's log window", async () => {
  const { host, user } = open(overview({ attention: [item("connection_down")], attentionTotal: 1 }));
  await user.click(await screen.findByRole("button", { name: "Open webhook log: Lincoln" }));
  expect(host.made).toContainEqual({ method: "open_log_window", request: { school: "sch_1", title: "Lincoln" } });
});

test("the throughput is a chart with its table, and each school has its 24 hours", async () => {
  const { user } = open(overview());
  expect(await screen.findByRole("img", { name: "Throughput, 24 h. 240 delivered, 2 couldn't deliver" })).toBeVisible();
  expect(screen.getByRole("img", { name: "Last 24 hours: 240 delivered, 2 couldn't deliver, 99.2 %" })).toBeVisible();
  await user.click(screen.getByRole("button", { name: "View as table: Throughput, 24 h" }));
  const table = screen.getByRole("region", { name: "Throughput, 24 h" });
  expect(within(table).getAllByRole("row")).toHaveLength(25);
  await expectAccessible();
});

test("the server has its row", async () => {
  open(overview());
  const system = await screen.findByRole("region", { name: "System" });
  expect(await within(system).findByText(/version 0\.1\.0/)).toBeVisible();
  expect(system).toHaveTextContent("Serverrollcall.example:7443");
  expect(system).toHaveTextContent("Schools connected1 of 1");
  expect(system).toHaveTextContent("Messages waiting11");
});

test("a console without schools leads to the first one", async () => {
  const { user } = open(overview({ schools: [], schoolsTotal: 0 }));
  await user.click(await screen.findByRole("button", { name: "Register a school" }));
  await waitFor(() => expect(window.location.hash).toBe("#/register-school"));
});

test("a district narrows everything down", async () => {
  const { host, user } = openProvider("/");
  await screen.findByRole("region", { name: "Figures" });
  await user.click(screen.getByRole("combobox", { name: "District" }));
  await user.click(await screen.findByTitle("Harbor County"));
  await waitFor(() =>
    expect(host.made.filter(({ method }) => method === "LogService/GetOverview").at(-1)?.request).toEqual({
      district: DISTRICTS[1]?.id,
    }),
  );
});

test("a failure is told with Retry; data that was there stays, with its age", async () => {
  const host = new FakeHost(providerAnswers()).signedIn();
  host.refuse.set("LogService/GetOverview", refusal("internal", "the server had a fault"));
  const { user } = openProvider("/", {}, host);
  expect(await screen.findByRole("alert")).toHaveTextContent("the server had a fault");
  expect(screen.getByRole("button", { name: "Copy details" })).toBeVisible();
  await expectAccessible();
  host.refuse.clear();
  await user.click(screen.getByRole("button", { name: "Retry" }));
  await screen.findByRole("region", { name: "Figures" });
  host.refuse.set("LogService/GetOverview", refusal("internal", "gone again"));
  // Some seconds later somebody looks at the window again.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 5_000 });
  onTestFinished(() => void vi.useRealTimers());
  window.dispatchEvent(new Event("visibilitychange"));
  const banner = await screen.findByText(/Showing data from \d/);
  expect(banner).not.toHaveTextContent("reconnecting");
  expect(screen.getByText("gone again")).toBeVisible();
  expect(screen.getByRole("region", { name: "Figures" })).toBeVisible();
});

test("a slow server shows the content's shape", async () => {
  openProvider("/", { calls: { "LogService/GetOverview": () => new Promise(() => {}) } });
  expect(await screen.findByRole("status", { name: "Loading" })).toBeVisible();
});
