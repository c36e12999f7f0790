import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { refusal } from "@/shell/fake/host";
import { dialogOf, expectAccessible, openProvider } from "../../../tests/render";

const GROUP = { state: "parked", reason: "connection_down", cause: "", code: 0 };
const group = (messages: string) => ({
  schoolId: "sch_1",
  schoolName: "Riverside Elementary",
  group: GROUP,
  messages,
  more: false,
  firstAt: "2026-11-25T08:00:00Z",
  lastAt: "2026-11-25T12:00:00Z",
  sampleMessage: "evt_1",
  cause: "connect",
  code: 0,
  explanation: "The school's system refused the connection: nothing listens there.",
});
const message = (id: string, reason = "connection_down") => ({
  id,
  reason,
  eventType: "student.updated",
  studentSourcedId: "S-1",
  createdAt: "2026-11-25T08:00:00Z",
  tries: 3,
});

function open(messages: string, dry = { messages, refused: "0" }, more = {}) {
  const opened = openProvider("/undelivered", {
    calls: {
      "LogService/ListUndelivered": () => ({ groups: [group(messages)], nextPageToken: "" }),
      "LogService/ListMessages": () => ({
        messages: [message("evt_2"), message("evt_3", "exhausted")],
        nextPageToken: "",
      }),
      "LogService/Replay": () => dry,
      "LogService/DiscardMessages": () => ({ discarded: messages, undo: "u1", undoUntil: undefined }),
      "LogService/UndoDiscard": () => ({ restored: "210", superseded: "2" }),
      "LogService/ResendMessage": ({ message: id }) => ({ message: id, queuedAsTry: 4 }),
      ...more,
    },
  });
  const requests = (method: string) =>
    opened.host.made.filter((one) => one.method === method).map(({ request }) => request);
  return { ...opened, requests };
}

test("a group says why in words; its messages and one sent again are honest", async () => {
  const { user, requests } = open("212");
  const row = await screen.findByText("Riverside Elementary");
  expect(screen.getByText("212 messages in 1 group")).toBeVisible();
  expect(screen.getByText("No connection")).toBeVisible();
  await expectAccessible();
  await user.click(row);
  expect(await screen.findByText(/nothing listens there/)).toBeVisible();
  // Only those of the group's reason.
  await user.click(await screen.findByRole("button", { name: "Send evt_2 again" }));
  expect(screen.queryByRole("button", { name: "Send evt_3 again" })).toBeNull();
  expect(await screen.findByText("Queued as attempt 4")).toBeVisible();
  expect(requests("LogService/ResendMessage")).toEqual([{ message: "evt_2" }]);
  await expectAccessible();
});

test("a replay says exactly how many first", async () => {
  const { user, requests } = open("212", { messages: "208", refused: "4" });
  await user.click(await screen.findByText("Riverside Elementary"));
  await user.click(await screen.findByRole("button", { name: "Send all again" }));
  const dialog = await dialogOf("Send 208 messages again?");
  expect(dialog.getByText(/4 are left out/)).toBeVisible();
  const request = { school: "sch_1", group: GROUP };
  expect(requests("LogService/Replay")).toEqual([{ ...request, dryRun: true }]);
  await user.click(dialog.getByRole("button", { name: "Send 208 messages" }));
  expect(await screen.findByText("208 messages are queued again")).toBeVisible();
  expect(requests("LogService/Replay")[1]).toEqual({ ...request, dryRun: false });
});

test("a replay of more than 1,000 takes the school's typed name", async () => {
  const { user, requests } = open("1284", { messages: "1001", refused: "0" });
  await user.click(await screen.findByText("Riverside Elementary"));
  await user.click(await screen.findByRole("button", { name: "Send all again" }));
  const dialog = await dialogOf("Send 1,001 messages again?");
  const verb = dialog.getByRole("button", { name: "Send 1,001 messages" });
  expect(verb).toBeDisabled();
  await user.type(dialog.getByRole("textbox"), "Riverside Elementary");
  await user.click(verb);
  await waitFor(() => expect(requests("LogService/Replay")).toHaveLength(2));
});

test("a discard takes a reason and is taken back from its toast", async () => {
  const { user, requests } = open("212");
  await user.click(await screen.findByText("Riverside Elementary"));
  await user.click(await screen.findByRole("button", { name: "Discard" }));
  const dialog = await dialogOf("Discard 212 messages?");
  await user.click(dialog.getByRole("button", { name: "Discard 212 messages" }));
  expect(await dialog.findByText("Say why: it is kept")).toBeVisible();
  expect(requests("LogService/DiscardMessages")).toEqual([]);
  await user.type(dialog.getByRole("textbox", { name: "Reason" }), "school closed");
  await user.click(dialog.getByRole("button", { name: "Discard 212 messages" }));
  expect(await screen.findByText("212 messages are discarded")).toBeVisible();
  expect(requests("LogService/DiscardMessages")).toEqual([
    { school: "sch_1", group: GROUP, messages: [], reason: "school closed" },
  ]);
  await user.click(screen.getByRole("button", { name: "Undo" }));
  expect(await screen.findByText(/210 messages are back as they were; 2 were overtaken/)).toBeVisible();
  expect(requests("LogService/UndoDiscard")).toEqual([{ school: "sch_1", undo: "u1" }]);
});

test("the all-clear says when it was checked", async () => {
  open("0", undefined, { "LogService/ListUndelivered": () => ({ groups: [], nextPageToken: "" }) });
  expect(await screen.findByText(/^Everything is delivered. Checked at \d\d:\d\d:\d\d\.$/)).toBeVisible();
});

test("a failure says why and is tried again; a filter without groups is cleared", async () => {
  let fails = true;
  const { user } = open("212", undefined, {
    "LogService/ListUndelivered": ({ school }: { school: string }) => {
      if (fails) throw refusal("internal", "the log is away");
      return { groups: school ? [] : [group("212")], nextPageToken: "" };
    },
  });
  expect(await screen.findByText("the log is away")).toBeVisible();
  fails = false;
  await user.click(screen.getByRole("button", { name: "Retry" }));
  await screen.findByText("212 messages in 1 group");
  await user.click(screen.getByRole("combobox", { name: "School" }));
  await user.click(await screen.findByTitle("Oak Middle School"));
  expect(await screen.findByText("No undelivered messages match")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Clear filters" }));
  const grid = screen.getByRole("grid", { name: "Undelivered messages by cause and school" });
  expect(await within(grid).findByText("Riverside Elementary")).toBeVisible();
});
