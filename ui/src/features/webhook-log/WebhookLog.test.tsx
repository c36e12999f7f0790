import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { Attempt, Message } from "@/gen/rollcall/provider/v1/log";
import { type Answers, type Handler, refusal } from "@/shell/fake/host";
import { logs } from "@/shell/fake/log";
import { FAULTS } from "@/shell/fake/log/causes";
import { OWNER } from "@/shell/fake/world";
import { setPreferences } from "@/theme/preferences";
import { expectAccessible, openProvider } from "../../../tests/render";

const ID = "sch_01KB0000000000000000000001";
const SCHOOL = {
  id: ID,
  name: "Lincoln High School",
  connection: { state: "CONNECTION_STATE_ACTIVE", reason: "" },
};

/** The window over a made-up log in which nothing happens by itself. */
function open({ rows = 120, place = "", answers = {} as Answers, message = (kept: Message) => kept } = {}) {
  const made = logs({ rows, rate: 0 });
  const log = made.of(ID);
  const asKept = made.answers.calls?.["LogService/GetMessage"];
  const shown: Handler = async (...asked) => message((await asKept?.(...asked)) as Message);
  const opened = openProvider(`/webhook-logs/${ID}${place}`, {
    ...answers,
    calls: {
      ...made.answers.calls,
      "LogService/GetMessage": shown,
      "SchoolService/GetSchool": () => SCHOOL,
      ...answers.calls,
    },
    streams: { ...made.answers.streams, ...answers.streams },
  });
  const made_ = (method: string) =>
    opened.host.made.filter((call) => call.method === method).map((call) => call.request as Record<string, unknown>);
  return { ...opened, log, asked: made_ };
}

/** The first one loads the screen too. */
const grid = () => screen.findByRole("grid", { name: "Delivery attempts" }, { timeout: 20_000 });
const rows = () => within(screen.getByRole("grid")).getAllByRole("row").slice(1);
const firstRow = () => rows()[0] as HTMLElement;
const loaded = async () => {
  await grid();
  await waitFor(() => expect(rows().length).toBeGreaterThan(2));
};

test("the newest attempt is on top, under the school's name, and the tail is live", async () => {
  const { log } = open();
  await loaded();
  expect(await screen.findByRole("heading", { name: "Lincoln High School" })).toBeVisible();
  expect(screen.getByRole("button", { name: "Live" })).toBeVisible();
  const newest = log.attempts.at(-1) as Attempt;
  expect(within(firstRow()).getByText(newest.messageId)).toBeVisible();
  await waitFor(() => expect(document.title).toBe("Webhook log: Lincoln High School"));
  await expectAccessible();
});

test("a new attempt is on top by itself; a status is a word, not a colour alone", async () => {
  const { log } = open();
  await loaded();
  act(() => log.happen(1, FAULTS[0]));
  const newest = log.attempts.at(-1) as Attempt;
  // In one look: the tint goes by itself.
  await waitFor(() => {
    const row = firstRow();
    expect(within(row).getByText(newest.messageId)).toBeVisible();
    expect(within(row).getByText("Retrying")).toBeVisible();
    expect(row).toHaveClass("motion-safe:bg-accent-selected");
  });
});

test("scrolling freezes the list; the pill counts what waits and goes on", async () => {
  const { log, user } = open();
  await loaded();
  const before = rows().map((row) => row.textContent);
  const box = screen.getByRole("grid");
  box.scrollTop = 56;
  fireEvent.scroll(box);
  expect(await screen.findByRole("button", { name: "Paused" })).toBeVisible();
  act(() => log.happen(7));
  expect(await screen.findByRole("button", { name: "Paused, 7 new" })).toBeVisible();
  expect(
    rows()
      .map((row) => row.textContent)
      .slice(0, 5),
  ).toEqual(before.slice(0, 5));
  await user.click(screen.getByRole("button", { name: "Paused, 7 new" }));
  const newest = log.attempts.at(-1) as Attempt;
  expect(await within(firstRow()).findByText(newest.messageId)).toBeVisible();
  expect(screen.queryByRole("button", { name: /Paused/ })).toBeNull();
});

test("moving by the keyboard freezes too; Enter opens, j goes on, Esc closes and gives the focus back", async () => {
  const { user, log } = open();
  await loaded();
  const box = screen.getByRole("grid");
  box.focus();
  await user.keyboard("jj{Enter}");
  const panel = await screen.findByRole("complementary", { name: "Attempt" });
  expect(screen.getByRole("button", { name: /Paused/ })).toBeVisible();
  const [first, second] = [log.attempts.at(-2), log.attempts.at(-3)] as Attempt[];
  expect(await within(panel).findByTitle(first?.messageId as string)).toBeVisible();
  await user.keyboard("j");
  expect(await within(panel).findByTitle(second?.messageId as string)).toBeVisible();
  await expectAccessible();
  within(panel).getByRole("tab", { name: "Timeline" }).focus();
  await user.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByRole("complementary")).toBeNull());
  expect(box).toHaveFocus();
});

test("after a dialog was open, Esc closes the panel all the same", async () => {
  const { user } = await openTrouble();
  await user.click(screen.getByRole("button", { name: "Replay…" }));
  const dialog = await screen.findByRole("dialog", { name: "Replay messages" });
  await user.click(within(dialog).getByRole("button", { name: "Cancel" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await user.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByRole("complementary")).toBeNull());
});

test("Mod+F goes to the filter; a word with a blank behind it becomes a chip and asks the server", async () => {
  const { user, asked } = open();
  await loaded();
  await user.keyboard("{Control>}f{/Control}");
  const bar = screen.getByRole("combobox", { name: "Filter" });
  expect(bar).toHaveFocus();
  await user.keyboard("status:failed|held ");
  expect(await screen.findByRole("group", { name: "status is failed, held" })).toBeVisible();
  await waitFor(() => expect(asked("LogService/ListAttempts").at(-1)?.filter).toBe("status:failed,held"));
  expect(asked("LogService/TailAttempts").at(-1)?.filter).toBe("status:failed,held");
  expect(asked("LogService/GetHistogram").at(-1)?.filter).toBe("status:failed,held");
  await user.keyboard("code:6xx{Enter}");
  expect(await screen.findByText(/At character 6: “6xx” is no code/)).toBeVisible();
  expect(bar).toHaveValue("code:6xx");
  await expectAccessible();
});

test("all of the filter can be edited as text, and left again", async () => {
  const { user, asked } = open({ place: "?filter=status:failed%20code:5xx" });
  await loaded();
  await user.click(screen.getByRole("button", { name: "Edit as text" }));
  const bar = screen.getByRole("combobox", { name: "Filter" });
  expect(bar).toHaveValue("status:failed code:5xx");
  await user.clear(bar);
  await user.type(bar, "-event:connection.test try:>1{Enter}");
  expect(await screen.findByRole("group", { name: "event is not connection.test" })).toBeVisible();
  await waitFor(() => expect(asked("LogService/ListAttempts").at(-1)?.filter).toBe("-event:connection.test try:>1"));
  await user.click(screen.getByRole("button", { name: "Clear filters" }));
  await waitFor(() => expect(asked("LogService/ListAttempts").at(-1)?.filter).toBe(""));
});

test("what can be written is offered, and taken by the keyboard", async () => {
  const { user } = open();
  await loaded();
  const bar = screen.getByRole("combobox", { name: "Filter" });
  await user.type(bar, "tri");
  await user.keyboard("{ArrowDown}{Enter}");
  expect(bar).toHaveValue("trigger:");
  expect(screen.getByRole("option", { name: "resend" })).toBeVisible();
  await user.keyboard("{ArrowDown}{ArrowDown}{Tab}");
  expect(bar).toHaveValue("trigger:resend");
  await user.keyboard("{Enter}");
  expect(await screen.findByRole("group", { name: "trigger is resend" })).toBeVisible();
});

test("a click on a cell narrows to its value, Alt+click leaves it out, chips and presets change the filter", async () => {
  const { user, asked } = open();
  await loaded();
  const filter = () => asked("LogService/ListAttempts").at(-1)?.filter;
  await user.click(within(firstRow()).getByRole("button", { name: "204" }));
  await waitFor(() => expect(filter()).toBe("code:204"));
  await loaded();
  await user.keyboard("{Alt>}");
  await user.click(within(firstRow()).getByRole("button", { name: "1/5" }));
  await user.keyboard("{/Alt}");
  await waitFor(() => expect(filter()).toBe("code:204 -try:1"));
  expect(screen.queryByRole("complementary")).toBeNull();
  await user.click(screen.getByRole("button", { name: "Leave out: code:204" }));
  await waitFor(() => expect(filter()).toBe("-code:204 -try:1"));
  await user.click(screen.getByRole("button", { name: "Remove: -try:1" }));
  await user.click(screen.getByRole("button", { name: "Problems" }));
  await waitFor(() => expect(filter()).toBe("status:failed -code:204"));
  await user.click(screen.getByRole("button", { name: "Manual" }));
  await waitFor(() => expect(filter()).toBe("trigger:resend,replay,test -code:204"));
});

test("nothing matches: the filter can be cleared; nothing was sent: that is said", async () => {
  const { user } = open({ place: "?filter=try:%3E900" });
  await user.click((await screen.findAllByRole("button", { name: "Clear filters" })).at(-1) as HTMLElement);
  await loaded();
  await expectAccessible();
});

test("an empty log says so", async () => {
  open({ rows: 0 });
  expect(await screen.findByText("Nothing was sent to this school yet.")).toBeVisible();
});

test("a scan that ended early says how far it came, and goes on", async () => {
  const list = vi
    .fn()
    .mockReturnValueOnce({ attempts: [], nextPageToken: "900", searchedUntil: "2026-11-20T10:00:00Z" })
    .mockReturnValue({ attempts: [], nextPageToken: "", searchedUntil: undefined });
  setPreferences({ zone: "utc" });
  const { user } = open({ place: "?filter=status:held", answers: { calls: { "LogService/ListAttempts": list } } });
  expect(await screen.findByText("No attempts match back to 2026-11-20 10:00:00")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Search further back" }));
  expect(await screen.findByText("No attempts match")).toBeVisible();
  expect(list).toHaveBeenLastCalledWith(expect.objectContaining({ pageToken: "900" }));
});

test("an error is told with its code and can be tried again", async () => {
  const list = vi.fn(() => {
    throw refusal("internal", "the log cannot be read");
  });
  const { user } = open({ answers: { calls: { "LogService/ListAttempts": list } } });
  expect(await screen.findByText("the log cannot be read")).toBeVisible();
  expect(screen.getByText("Code: internal")).toBeVisible();
  await expectAccessible();
  list.mockReturnValue({ attempts: [], nextPageToken: "" } as never);
  list.mockImplementation(() => ({ attempts: [], nextPageToken: "" }) as never);
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByText("Nothing was sent to this school yet.")).toBeVisible();
});

test("without a role for it, the log says which is needed", async () => {
  const denied = () => {
    throw refusal("permission_denied", "it takes the role viewer");
  };
  open({ answers: { calls: { "LogService/ListAttempts": denied } } });
  expect(await screen.findByText(/You need another role for this/)).toBeVisible();
});

test("a lost link is told below the list, which stays; back again, the pill is live", async () => {
  let emit: (event: never) => void = () => {};
  const { log } = open({
    answers: {
      streams: {
        "LogService/TailAttempts": (request, tell) => {
          emit = tell as never;
          return log.tail(request, tell);
        },
      },
    },
  });
  await loaded();
  act(() => emit({ kind: "reconnecting", error: refusal("unavailable", "the server is away") } as never));
  expect(await screen.findByText("Reconnecting")).toBeVisible();
  expect(screen.getByText(/Showing data from .*, reconnecting/)).toBeVisible();
  expect(rows().length).toBeGreaterThan(5);
  await expectAccessible();
  act(() => emit({ kind: "open" } as never));
  expect(await screen.findByRole("button", { name: "Live" })).toBeVisible();
});

test("missed rows are told and loaded", async () => {
  let emit: (event: never) => void = () => {};
  const { log, user } = open({
    answers: {
      streams: {
        "LogService/TailAttempts": (request, tell) => {
          if (request.afterLogSequence !== undefined) return log.tail(request, tell);
          emit = tell as never;
          tell({ kind: "open" });
          tell({ kind: "message", message: { attempts: [], logSequence: String(log.head) } });
          return undefined;
        },
      },
    },
  });
  await loaded();
  log.happen(4);
  const last = log.attempts.at(-1);
  act(() => emit({ kind: "message", message: { attempts: [last], logSequence: String(log.head) } } as never));
  await user.click(await screen.findByRole("button", { name: "Gap: 3 missed, load" }));
  await waitFor(() => expect(screen.queryByText(/Gap/)).toBeNull());
  const second = log.attempts.at(-2) as Attempt;
  expect(within(rows()[1] as HTMLElement).getByText(second.messageId)).toBeVisible();
});

async function openTrouble(more: Parameters<typeof open>[0] = {}) {
  const opened = open(more);
  await loaded();
  act(() => opened.log.happen(1, FAULTS[3]));
  const row = opened.log.attempts.at(-1) as Attempt;
  await waitFor(() => expect(within(firstRow()).getByText(row.messageId)).toBeVisible());
  await opened.user.click(firstRow());
  const panel = await screen.findByRole("complementary", { name: "Attempt" });
  await within(panel).findByRole("tab", { name: "Timeline" });
  return { ...opened, panel, row };
}

test("a failure is explained in words with the next step", async () => {
  const { panel } = await openTrouble();
  const why = within(panel).getByRole("region", { name: "What happened" });
  expect(within(why).getByText(/refused the signature or us \(401\)/)).toBeVisible();
  expect(within(why).getByText(/The signature debugger in School Desk says what differs/)).toBeVisible();
  expect(within(why).getByText(/is off by 412 s/)).toBeVisible();
  await expectAccessible();
});

test("sent again, the message is queued, and then the row itself turns", async () => {
  const { panel, row, user, log, asked } = await openTrouble({
    answers: { calls: { "LogService/ResendMessage": ({ message }) => ({ message, queuedAsTry: 2 }) } },
  });
  await user.click(within(panel).getByRole("button", { name: "Send again" }));
  expect(asked("LogService/ResendMessage")).toEqual([{ message: row.messageId }]);
  expect(await within(firstRow()).findByText("Queued as attempt 2")).toBeVisible();
  expect(within(panel).getByRole("status")).toHaveTextContent("Queued as attempt 2");
  act(() => log.again(row.messageId, "resend"));
  expect(await within(firstRow()).findByText("Delivered by attempt 2")).toBeVisible();
  expect(within(panel).getByRole("status")).toHaveTextContent("Delivered by attempt 2");
  expect(await within(panel).findByRole("button", { name: "Show attempt 2" })).toBeVisible();
});

test("what cannot be sent again says why", async () => {
  const refuse = () => {
    throw refusal("failed_precondition", "the student has left this school since");
  };
  const { panel, user } = await openTrouble({ answers: { calls: { "LogService/ResendMessage": refuse } } });
  await user.click(within(panel).getByRole("button", { name: "Send again" }));
  expect(await within(panel).findByRole("alert")).toHaveTextContent("the student has left this school since");
});

test("a viewer reads but does not send", async () => {
  const viewer = { ...OWNER, staff: { ...OWNER.staff, role: "ROLE_VIEWER" } };
  const { panel } = await openTrouble({ answers: { session: viewer } });
  expect(within(panel).getByRole("button", { name: "Send again" })).toBeDisabled();
  expect(screen.getByRole("button", { name: "Replay…" })).toBeDisabled();
  expect(screen.getByRole("button", { name: "Send test event" })).toBeDisabled();
});

test("a body is masked until it is revealed, and hidden again with personal data", async () => {
  const { panel, user, asked } = await openTrouble();
  await user.click(within(panel).getByRole("tab", { name: "Request" }));
  expect(within(panel).getByText(/written to the audit log with your name/)).toBeVisible();
  expect(asked("LogService/GetMessage").some(({ revealBody }) => revealBody)).toBe(false);
  await user.click(within(panel).getByRole("button", { name: "Reveal" }));
  const body = await within(panel).findByRole("group", { name: "Body" });
  expect(body).toHaveTextContent(/^\{ "id": "evt_/);
  await user.click(within(panel).getByText("Raw"));
  expect(body.textContent).toMatch(/^\{"id":"evt_[0-9A-Z]+","type":/);
  await user.click(within(panel).getByText("Bytes"));
  expect(body.textContent).toMatch(/^000000 {2}7b 22 69 64/);
  expect(asked("LogService/GetMessage").filter(({ revealBody }) => revealBody)).toHaveLength(1);
  await user.click(screen.getByRole("button", { name: "Hide personal data" }));
  await waitFor(() => expect(within(panel).queryByRole("group", { name: "Body" })).toBeNull());
  expect(within(panel).getByText(/Personal data is hidden in this window/)).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Show personal data" }));
  expect(within(panel).queryByRole("group", { name: "Body" }), "not shown again by itself").toBeNull();
});

test("what was purged says so, and cannot be revealed", async () => {
  const message = (kept: Message): Message => {
    const gone = { responseHeaders: [], responseBody: "", answerPurged: true };
    const attempts = kept.attempts.map((detail) => ({ ...detail, ...gone }));
    return { ...kept, bodySha256: "", bodyPurged: true, attempts };
  };
  const { panel, user } = await openTrouble({ message });
  await user.click(within(panel).getByRole("tab", { name: "Request" }));
  expect(within(panel).getByText("The body was purged: it is kept for a limited time only.")).toBeVisible();
  expect(within(panel).queryByRole("button", { name: "Reveal" })).toBeNull();
  await user.click(within(panel).getByRole("tab", { name: "Response" }));
  expect(within(panel).getByText(/Headers and body of the answer were purged/)).toBeVisible();
});

test("the answer, the keys and the timeline of a message", async () => {
  const { panel, user } = await openTrouble();
  await user.click(within(panel).getByRole("tab", { name: "Response" }));
  expect(within(panel).getByText("Answer to attempt 1")).toBeVisible();
  expect(within(panel).getByText(/until the first byte/)).toBeVisible();
  expect(within(panel).getByRole("group", { name: "Body" })).toHaveTextContent("signature does not match");
  await user.click(within(panel).getByRole("tab", { name: "Signature" }));
  expect(within(panel).getAllByText("cedar lagoon orchid timber falcon maple")[0]).toBeVisible();
  expect(within(panel).getByText("it did not say")).toBeVisible();
  await expectAccessible();
});

test("further columns are chosen and remembered; personal data is masked in them", async () => {
  const first = open();
  await loaded();
  await first.user.click(screen.getByRole("button", { name: "Columns" }));
  await first.user.click(await screen.findByRole("menuitem", { name: /Student/ }));
  expect(await screen.findByRole("columnheader", { name: "Student" })).toBeVisible();
  first.unmount();
  const { log, user } = open();
  await loaded();
  expect(screen.getByRole("columnheader", { name: "Student" })).toBeVisible();
  const student = log.attempts.findLast(({ studentSourcedId }) => studentSourcedId)?.studentSourcedId as string;
  expect(screen.getAllByText(student)[0]).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Hide personal data" }));
  await waitFor(() => expect(screen.queryByText(student)).toBeNull());
  act(() => setPreferences({ hidePersonal: false }));
});

test("the volume is a table too, and choosing a bar sets the time", async () => {
  setPreferences({ zone: "utc" });
  const { user, asked } = open();
  await loaded();
  await user.click(await screen.findByRole("button", { name: "View as table" }));
  const [show] = await screen.findAllByRole("button", { name: /^Show 20/ });
  await user.click(show as HTMLElement);
  await waitFor(() => expect(asked("LogService/ListAttempts").at(-1)?.filter).toMatch(/^after:20.*Z before:20.*Z$/));
  const histogram = asked("LogService/GetHistogram").at(-1);
  expect(histogram?.since).toMatch(/^20/);
  await user.click(await screen.findByRole("button", { name: "Clear the time" }));
  await waitFor(() => expect(asked("LogService/ListAttempts").at(-1)?.filter).toBe(""));
});

test("brushing over the bars sets the time", async () => {
  const { asked } = open();
  await loaded();
  const bars = await screen.findByRole("img", { name: "Attempts over time" });
  bars.getBoundingClientRect = () => ({ left: 0, width: 1_000, top: 0, height: 50 }) as DOMRect;
  fireEvent.pointerDown(bars, { clientX: 500, pointerId: 1 });
  fireEvent.pointerMove(bars, { clientX: 250, pointerId: 1 });
  fireEvent.pointerUp(bars, { clientX: 250, pointerId: 1 });
  await waitFor(() => expect(asked("LogService/ListAttempts").at(-1)?.filter).toMatch(/^after:\S+ before:\S+$/));
  const [, from, to] = /^after:(\S+) before:(\S+)$/.exec(String(asked("LogService/ListAttempts").at(-1)?.filter)) ?? [];
  const hours = (Date.parse(to as string) - Date.parse(from as string)) / 3_600_000;
  expect(hours).toBeGreaterThan(5);
  expect(hours).toBeLessThan(8);
});

test("a test event's answer is told as it was", async () => {
  const answers = [
    { ok: true, code: 204, detail: "", latencyMs: 35 },
    { ok: false, code: 0, detail: "The school's system refused the connection.", latencyMs: 2 },
  ];
  const { user, asked } = open({ answers: { calls: { "SchoolService/SendTestEvent": () => answers.shift() } } });
  await loaded();
  await user.click(screen.getByRole("button", { name: "Send test event" }));
  expect(await screen.findByText("The school's system answered 204 in 35 ms")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Send test event" }));
  expect(await screen.findByText("The school's system refused the connection.")).toBeVisible();
  expect(asked("SchoolService/SendTestEvent")).toEqual([{ school: ID }, { school: ID }]);
});

test("only what this window may ask is asked", async () => {
  const { host, user } = await openTrouble();
  await user.click(screen.getByRole("button", { name: "Replay…" }));
  await screen.findByText(/Set a filter or a time first/);
  const methods = host.made.map(({ method }) => method).filter((method) => method.includes("/"));
  const allowed = /^LogService\/|^SchoolService\/(GetSchool|SendTestEvent)$|^StaffService\/WhoAmI$/;
  expect(methods.filter((method) => !allowed.test(method))).toEqual([]);
});
