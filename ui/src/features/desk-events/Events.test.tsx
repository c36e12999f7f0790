import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { ReceivedEvent } from "@/gen/rollcall/school/v1/receiver";
import { event } from "@/shell/fake/desk";
import { type Answers, refusal } from "@/shell/fake/host";
import type { StreamEvent } from "@/shell/host";
import { expectAccessible, openSchool } from "../../../tests/render";

const NOON = Date.parse("2026-11-25T12:00:00Z");
const row = (number: number, more: Partial<ReceivedEvent> = {}) =>
  event(number, NOON + number * 1_000, {
    verdict: "verified",
    result: "applied",
    code: 200,
    sequence: String(number),
    ...more,
  });

/** Some rows, and a tail in the test's hand. */
function opened(rows: ReceivedEvent[], calls: Answers["calls"] = {}) {
  let send: (event: StreamEvent) => void = () => {};
  const shown = openSchool("/events", {
    calls: {
      "ReceiverService/ListEvents": ({ verdicts = [], pageSize }) => ({
        events: rows
          .filter((row) => verdicts.length === 0 || verdicts.includes(row.verdict))
          .sort((a, b) => Number(b.number) - Number(a.number))
          .slice(0, pageSize),
        nextPageToken: "",
      }),
      ...calls,
    },
    streams: {
      "ReceiverService/TailEvents": (_, emit) => {
        send = emit;
        emit({ kind: "open" });
        return undefined;
      },
    },
  });
  const tail = (...events: ReceivedEvent[]) =>
    send({ kind: "message", message: { events, number: events.at(-1)?.number } });
  return { ...shown, tail, send: (event: StreamEvent) => send(event) };
}

const order = () =>
  within(screen.getByRole("grid"))
    .getAllByRole("row")
    .slice(1)
    .map((line) => within(line).getAllByRole("gridcell")[3]?.textContent);

test("every verdict has an icon and a word, every column its value", async () => {
  const { host } = opened([
    row(1),
    row(2, { verdict: "duplicate", result: "duplicate" }),
    row(3, { verdict: "bad_signature", code: 401, result: "refused: no signature fits" }),
    row(4, { verdict: "too_old", code: 401 }),
    row(5, { verdict: "rejected", code: 503 }),
  ]);
  const grid = await screen.findByRole("grid", { name: "Received events" });
  for (const word of ["Verified", "Duplicate", "Bad signature", "Too old", "Rejected"]) {
    const pill = within(grid).getByText(word);
    expect(pill.querySelector("svg")).not.toBeNull();
  }
  expect(
    within(grid)
      .getAllByRole("columnheader")
      .map((header) => header.textContent),
  ).toEqual(["Time", "Verdict", "Event", "Sequence", "Message id", "Result", "Code", "Latency"]);
  expect(within(grid).getByText("refused: no signature fits")).toBeVisible();
  // The tail goes on where the record ended.
  expect(host.made).toContainEqual({ method: "ReceiverService/TailEvents", request: { afterNumber: "5" } });
  await expectAccessible();
});

test("what arrives comes on top while nobody reads", async () => {
  const { tail } = opened([row(1), row(2)]);
  await screen.findByText("Live");
  tail(row(3), row(4));
  await waitFor(() => expect(order()).toEqual(["4", "3", "2", "1"]));
});

test("a selection freezes the list; what came meanwhile is counted and nothing is lost", async () => {
  const { tail, user } = opened([row(1), row(2)]);
  await screen.findByText("Live");
  await user.click(within(screen.getByRole("grid")).getAllByRole("row")[1] as HTMLElement);
  const panel = await screen.findByRole("complementary", { name: "Event" });
  expect(within(panel).getByText("The signature was right, and the message was taken in.")).toBeVisible();
  expect(within(panel).getByText("2026-11-25T12:00:02.000Z")).toBeVisible();
  tail(row(3), row(4), row(5));
  expect(await screen.findByText("Paused, 3 new")).toBeVisible();
  expect(order()).toEqual(["2", "1"]);
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Resume" }));
  await waitFor(() => expect(order()).toEqual(["5", "4", "3", "2", "1"]));
  expect(screen.queryByRole("complementary", { name: "Event" })).toBeNull();
});

test("scrolling away freezes, and being back on top goes on", async () => {
  const { tail } = opened([row(1), row(2)]);
  await screen.findByText("Live");
  const grid = screen.getByRole("grid");
  fireEvent.scroll(grid, { target: { scrollTop: 200 } });
  tail(row(3));
  expect(await screen.findByText("Paused, 1 new")).toBeVisible();
  expect(order()).not.toContain("3");
  fireEvent.scroll(grid, { target: { scrollTop: 0 } });
  await waitFor(() => expect(order()[0]).toBe("3"));
});

test("pause and resume by the button", async () => {
  const { tail, user } = opened([row(1)]);
  await user.click(await screen.findByRole("button", { name: "Pause" }));
  tail(row(2));
  expect(await screen.findByText("Paused, 1 new")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Resume" }));
  await waitFor(() => expect(order()).toEqual(["2", "1"]));
});

test("skipped numbers are a gap that is loaded", async () => {
  const rows = [row(1)];
  const { tail, user } = opened(rows);
  await screen.findByText("Live");
  rows.push(row(2), row(3), row(4));
  tail(row(4));
  expect(await screen.findByText("Gap: 2 missed, load")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Load" }));
  await waitFor(() => expect(order()).toEqual(["4", "3", "2", "1"]));
  expect(await screen.findByText("Live")).toBeVisible();
});

test("a lost tail says that it reconnects; one that ended says why", async () => {
  const { send } = opened([row(1)]);
  await screen.findByText("Live");
  send({ kind: "reconnecting", error: refusal("unavailable", "gone") });
  expect(await screen.findByText("Reconnecting")).toBeVisible();
  send({ kind: "open" });
  expect(await screen.findByText("Live")).toBeVisible();
  send({ kind: "error", error: refusal("internal", "the stream broke") });
  expect(await screen.findByText("Not live: the stream broke")).toBeVisible();
});

test("the verdict filter is the server's, also for what arrives, and is cleared", async () => {
  const { tail, user, host } = opened([row(1), row(2, { verdict: "too_old" })]);
  await screen.findByText("Live");
  await user.click(screen.getByRole("combobox", { name: "Verdicts" }));
  await user.click(await screen.findByTitle("Too old"));
  await waitFor(() => expect(order()).toEqual(["2"]));
  expect(host.made).toContainEqual({
    method: "ReceiverService/ListEvents",
    request: { pageSize: 200, verdicts: ["too_old"], pageToken: "" },
  });
  await user.keyboard("{Escape}");
  tail(row(3), row(4, { verdict: "too_old" }));
  await waitFor(() => expect(order()).toEqual(["4", "2"]));
});

test("a filter that nothing matches is cleared from its own words", async () => {
  const { user } = opened([row(1)]);
  await screen.findByText("Live");
  await user.click(screen.getByRole("combobox", { name: "Verdicts" }));
  await user.click(await screen.findByTitle("Rejected"));
  expect(await screen.findByText("No events match.")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Clear filters" }));
  await waitFor(() => expect(order()).toEqual(["1"]));
});

test("before the first arrival one sentence leads to the check", async () => {
  const { user } = opened([]);
  expect(await screen.findByText(/Nothing has arrived yet/)).toBeVisible();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Go to Status" }));
  expect(await screen.findByRole("heading", { name: "Status" })).toBeVisible();
});

test("a record that cannot be read is an error with Retry", async () => {
  let broken = true;
  const { user } = opened([], {
    "ReceiverService/ListEvents": () => {
      if (broken) throw refusal("internal", "the record cannot be read");
      return { events: [row(1)], nextPageToken: "" };
    },
  });
  expect(await screen.findByText("the record cannot be read")).toBeVisible();
  broken = false;
  await user.click(screen.getByRole("button", { name: "Retry" }));
  await waitFor(() => expect(order()).toEqual(["1"]));
});

test("an event leads to the debugger with its id", async () => {
  const { user } = opened([row(1, { verdict: "bad_signature", code: 401, messageId: "evt_X1" })]);
  await user.click(await screen.findByText("Bad signature"));
  await user.click(await screen.findByRole("button", { name: "Check its signature" }));
  expect(await screen.findByLabelText("webhook-id")).toHaveValue("evt_X1");
  expect(screen.getByLabelText("Received at")).toHaveValue("2026-11-25T12:00:01.000Z");
  await waitFor(() => expect(screen.getByLabelText("Length that the provider shows")).toHaveValue("612"));
});
