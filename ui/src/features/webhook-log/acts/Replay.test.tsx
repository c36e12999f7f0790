import { act, screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { type Answers, refusal } from "@/shell/fake/host";
import { logs } from "@/shell/fake/log";
import { expectAccessible, openProvider } from "../../../../tests/render";

const ID = "sch_01KB0000000000000000000001";
const SCHOOL = { id: ID, name: "Hill School", connection: { state: "CONNECTION_STATE_ACTIVE", reason: "" } };

async function openReplay(
  replay: (request: { dryRun: boolean; filter: string; since?: string }) => unknown,
  cancel?: (request: { school: string; replay: string }) => unknown,
) {
  const made = logs({ rows: 200, rate: 0 });
  const log = made.of(ID);
  const given: Answers = {
    calls: {
      ...made.answers.calls,
      "SchoolService/GetSchool": () => SCHOOL,
      "LogService/Replay": replay,
      ...(cancel && { "LogService/CancelReplay": cancel }),
    },
    streams: made.answers.streams,
  };
  const opened = openProvider(`/webhook-logs/${ID}?filter=status:failed`, given);
  await screen.findByRole("heading", { name: "Hill School" }, { timeout: 20_000 });
  await opened.user.click(screen.getByRole("button", { name: "Replay…" }));
  const dialog = await screen.findByRole("dialog", { name: "Replay messages" });
  const asked = () =>
    opened.host.made.filter(({ method }) => method === "LogService/Replay").map((call) => call.request);
  return { ...opened, log, dialog, asked };
}

test("a replay is counted exactly, looked at, queued and followed", async () => {
  const { user, dialog, asked, log } = await openReplay(({ dryRun }) =>
    dryRun ? { messages: "2", refused: "1" } : { messages: "2", refused: "1" },
  );
  expect(await within(dialog).findByText("Exactly 2 messages are sent again.")).toBeVisible();
  expect(within(dialog).getByText(/^1 more is left out/)).toBeVisible();
  await waitFor(() => expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus());
  expect(await within(dialog).findByRole("list")).toBeVisible();
  await expectAccessible();
  expect(asked()).toEqual([{ school: ID, filter: "status:failed", since: undefined, dryRun: true }]);
  await user.click(within(dialog).getByRole("button", { name: "Replay 2 messages" }));
  expect(await within(dialog).findByText("2 messages were queued")).toBeVisible();
  expect(asked().at(-1)).toMatchObject({ filter: "status:failed", dryRun: false });
  const parked = log.matching("status:failed").slice(0, 2);
  act(() => log.again(parked[0]?.messageId as string, "replay"));
  expect(await within(dialog).findByText(/^1 of 2 attempted, 1 delivered, 0 failed/)).toBeVisible();
  const other = log.matching("status:failed").find((row) => row.messageId !== parked[0]?.messageId);
  act(() => log.again(other?.messageId as string, "replay"));
  expect(await within(dialog).findByText("All were attempted")).toBeVisible();
});

test("above a thousand, the school's name is typed; Cancel sends nothing", async () => {
  const { user, dialog, asked } = await openReplay(({ dryRun }) => ({ messages: "1204", refused: "0", dryRun }));
  await user.click(await within(dialog).findByRole("button", { name: "Replay 1204 messages" }));
  const confirm = await screen.findByRole("dialog", { name: "Replay 1,204 messages?" });
  const verb = within(confirm).getByRole("button", { name: "Replay" });
  expect(verb).toBeDisabled();
  await user.click(within(confirm).getByRole("button", { name: "Cancel" }));
  expect(asked().every((request) => (request as { dryRun: boolean }).dryRun)).toBe(true);
  await user.click(await screen.findByRole("button", { name: "Replay 1204 messages" }));
  const again = await screen.findByRole("dialog", { name: "Replay 1,204 messages?" });
  await user.type(within(again).getByRole("textbox", { name: "Type Hill School to confirm" }), "Hill School");
  await user.click(within(again).getByRole("button", { name: "Replay" }));
  await waitFor(() => expect(asked().at(-1)).toMatchObject({ dryRun: false }));
  expect(await screen.findByText("1204 messages were queued")).toBeVisible();
});

test("a count that is refused says why, and nothing can be sent", async () => {
  const { dialog } = await openReplay(() => {
    throw refusal("resource_exhausted", "more than 500000 messages match: narrow the filter or the time");
  });
  expect(await within(dialog).findByText(/narrow the filter or the time/)).toBeVisible();
  expect(within(dialog).getByRole("button", { name: /^Replay/ })).toBeDisabled();
});

test("nothing matches: there is nothing to send", async () => {
  const { dialog } = await openReplay(() => ({ messages: "0", refused: "0" }));
  expect(await within(dialog).findByText(/there is nothing to send again/)).toBeVisible();
  expect(within(dialog).getByRole("button", { name: /^Replay/ })).toBeDisabled();
});

test("a replay under way is cancelled: what had not gone out is what it was, and the count of both is told", async () => {
  const given: unknown[] = [];
  const { user, dialog, log } = await openReplay(
    () => ({ messages: "3", refused: "0", replay: "ab12" }),
    (request) => {
      given.push(request);
      return { replay: "ab12", restored: "2", begun: "1" };
    },
  );
  expect(within(dialog).queryByRole("button", { name: /Cancel what/ })).toBeNull();
  await user.click(await within(dialog).findByRole("button", { name: "Replay 3 messages" }));
  act(() => log.again(log.matching("status:failed")[0]?.messageId as string, "replay"));
  expect(await within(dialog).findByText(/^1 of 3 attempted/)).toBeVisible();
  await user.click(within(dialog).getByRole("button", { name: "Cancel what has not gone out" }));
  expect(
    await within(dialog).findByText("Cancelled: 2 messages are what they were before. 1 had been attempted."),
  ).toBeVisible();
  expect(given).toEqual([{ school: ID, replay: "ab12" }]);
  expect(within(dialog).queryByRole("button", { name: /Cancel what/ })).toBeNull();
  expect(within(dialog).queryByText(/the server goes on/)).toBeNull();
  await expectAccessible();
});

test("a cancel that is refused says why, and may be tried again", async () => {
  const { user, dialog } = await openReplay(
    () => ({ messages: "2", refused: "0", replay: "ab12" }),
    () => {
      throw refusal("unavailable", "the server is stopping: try again");
    },
  );
  await user.click(await within(dialog).findByRole("button", { name: "Replay 2 messages" }));
  await user.click(await within(dialog).findByRole("button", { name: "Cancel what has not gone out" }));
  expect(await within(dialog).findByRole("alert")).toHaveTextContent("the server is stopping: try again");
  expect(within(dialog).getByRole("button", { name: "Cancel what has not gone out" })).toBeEnabled();
  expect(within(dialog).queryByText(/^Cancelled/)).toBeNull();
});
