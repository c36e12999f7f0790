import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { TailEventsResponse } from "@/gen/rollcall/school/v1/receiver";
import { type Answers, refusal } from "@/shell/fake/host";
import { schoolAnswers } from "@/shell/fake/world";
import { expectAccessible, openSchool } from "../../../tests/render";

const world = schoolAnswers();
const answer = (method: string) => world.calls?.[method]?.({}) as Record<string, unknown>;
const status = (more: object) => ({
  "ReceiverService/GetStatus": () => ({ ...answer("ReceiverService/GetStatus"), ...more }),
});
const connection = (more: object, school: object = {}) => ({
  "SchoolLinkService/GetConnection": () => {
    const given = answer("SchoolLinkService/GetConnection");
    return { ...given, ...school, connection: { ...(given.connection as object), ...more } };
  },
});
const gaps = (missing: number, list: { from: string; to: string }[], contiguousSequence: string) => ({
  gaps: list,
  missing: String(missing),
  contiguousSequence,
  highestSequence: "640",
});
const link = (name: string) => screen.findByRole("listitem", { name });
const quiet: Answers["streams"] = { "ReceiverService/TailEvents": () => undefined };

test("all three links are well, and in sync has its time", async () => {
  openSchool("/");
  for (const name of ["Provider reachable", "Receiver listening", "Last verified event"]) {
    expect(within(await link(name)).getByText("OK")).toBeVisible();
  }
  expect(await screen.findByText(/^In sync at \d\d:\d\d:\d\d$/)).toBeVisible();
  expect(screen.getByText(/Up to sequence 640, nothing missing/)).toBeVisible();
  expect(screen.getByText("412")).toBeVisible();
  await expectAccessible();
});

test("the provider is lost: a fix, a banner with the age, and no green badge", async () => {
  const { host } = openSchool("/");
  await screen.findByText(/^In sync at/);
  host.turnLink("provider", "reconnecting");
  const part = await link("Provider reachable");
  await waitFor(() => expect(part).toHaveAttribute("data-health", "bad"));
  expect(part).toHaveTextContent("rollcall.example:7443 does not answer");
  expect(part).toHaveTextContent("Check this machine's network");
  expect(screen.getByText(/The provider has not answered since \d\d:\d\d/)).toBeVisible();
  expect(screen.queryByText(/^In sync at/)).toBeNull();
  expect(screen.getAllByText("Unknown").length).toBeGreaterThan(0);
  // What was there stays there.
  expect(screen.getByText("412")).toBeVisible();
  await expectAccessible();
});

test("another key at the provider's address is said everywhere", async () => {
  const { host } = openSchool("/");
  await link("Provider reachable");
  host.turnLink("provider", "server_key_changed");
  expect(await screen.findByText(/Call your provider before you do anything else/)).toBeVisible();
  expect(await link("Provider reachable")).toHaveTextContent(/another key/);
});

test("the receiver's link is lost: a banner and its age on every screen", async () => {
  const { host } = openSchool("/roster");
  await screen.findByText("S-1000");
  host.turnLink("receiver", "reconnecting");
  expect(await screen.findByText(/The receiver has not answered since/)).toBeVisible();
  expect(screen.getByText("S-1000")).toBeVisible();
});

test("a receiver that failed says why and is started again", async () => {
  const { user, host } = openSchool("/", {
    receiver: { state: "failed", error: refusal("setup", "port 8080 is taken by another program") },
    calls: {
      "ReceiverService/GetStatus": () => {
        throw refusal("not_connected", "the receiver does not run");
      },
    },
  });
  const part = await link("Receiver listening");
  expect(part).toHaveTextContent("port 8080 is taken by another program");
  await expectAccessible();
  await user.click(within(part).getByRole("button", { name: "Restart the receiver" }));
  await waitFor(() => expect(host.made).toContainEqual({ method: "restart_receiver", request: {} }));
  host.turnReceiver({ state: "starting" });
  await waitFor(() => expect(part).toHaveTextContent("It is being started"));
});

test("run check asks for a real message and shows it arriving", async () => {
  let tell: ((message: TailEventsResponse) => void) | undefined;
  const arrived = {
    ...(answer("ReceiverService/ListEvents").events as object[])[0],
    verdict: "verified",
    result: "applied",
    code: 200,
  };
  const { user, host } = openSchool("/", {
    streams: {
      "ReceiverService/TailEvents": (_, emit) => {
        tell = (message) => emit({ kind: "message", message });
        return undefined;
      },
    },
  });
  await user.click(await screen.findByRole("button", { name: "Run check" }));
  expect(await screen.findByText("The provider sent it; the answer was 200 after 14 ms")).toBeVisible();
  expect(screen.getByText("Waiting for it to arrive here…")).toBeVisible();
  expect(host.made).toContainEqual({ method: "ReceiverService/TailEvents", request: { afterNumber: "640" } });
  tell?.({ number: "641", events: [{ ...arrived, number: "641", eventType: "student.updated" }] as never });
  expect(screen.getByText("Waiting for it to arrive here…")).toBeVisible();
  tell?.({ number: "642", events: [{ ...arrived, number: "642", eventType: "connection.test" }] as never });
  expect(await screen.findByText(/^Arrived here at .*: Verified, answered 200 in/)).toBeVisible();
  await expectAccessible();
});

test("whoever comes for a check finds its button, and nothing is asked for before it is pressed", async () => {
  const { host } = openSchool("/roster");
  await screen.findByRole("heading", { name: "Roster" });
  host.openPlace("rollcall-school://status?check=1");
  const run = await screen.findByRole("button", { name: "Run check" });
  await waitFor(() => expect(run).toHaveFocus());
  expect(host.made).not.toContainEqual(expect.objectContaining({ method: "SchoolLinkService/RequestTestEvent" }));
});

test("a check that the provider could not deliver says why", async () => {
  const detail = "Nothing listens at the address: connection refused.";
  const { user } = openSchool("/", {
    streams: quiet,
    calls: { "SchoolLinkService/RequestTestEvent": () => ({ ok: false, code: 0, detail, latencyMs: 3 }) },
  });
  await user.click(await screen.findByRole("button", { name: "Run check" }));
  expect(await screen.findByText("The provider could not deliver it")).toBeVisible();
  expect(screen.getByText(detail)).toBeVisible();
  expect(screen.queryByText("Waiting for it to arrive here…")).toBeNull();
});

test("a check whose message does not verify leads to the debugger", async () => {
  const { user } = openSchool("/", {
    streams: {
      "ReceiverService/TailEvents": (_, emit) => {
        const events = [
          {
            number: "641",
            at: "2026-11-25T14:02:11Z",
            verdict: "bad_signature",
            eventType: "connection.test",
            code: 401,
            latencyUs: 900,
          },
        ];
        emit({ kind: "message", message: { number: "641", events } });
        return undefined;
      },
    },
  });
  await user.click(await screen.findByRole("button", { name: "Run check" }));
  expect(await screen.findByText(/its verdict is “Bad signature”/)).toBeVisible();
  await user.click(screen.getByRole("link", { name: "Find out why" }));
  expect(await screen.findByRole("heading", { name: "Signature debugger" })).toBeVisible();
});

test("a check that cannot be asked for says so", async () => {
  const { user, host } = openSchool("/", { streams: quiet });
  const run = await screen.findByRole("button", { name: "Run check" });
  host.refuse.set("SchoolLinkService/RequestTestEvent", refusal("unavailable", "nobody answers"));
  await user.click(run);
  expect(await screen.findByText("The provider could not be asked")).toBeVisible();
  expect(screen.getByText("nobody answers")).toBeVisible();
});

test("alarms are on top with the newest in words, and all on demand", async () => {
  const alerts = [
    { number: "2", at: "2026-11-25T14:02:11Z", messageId: "evt_2", words: "one id came with two bodies" },
    { number: "1", at: "2026-11-24T10:00:00Z", messageId: "", words: "a code was used elsewhere" },
  ];
  const { user } = openSchool("/", {
    calls: {
      ...status({ alerts: 2, latestAlert: "one id came with two bodies" }),
      "ReceiverService/ListAlerts": () => ({ alerts, nextPageToken: "" }),
    },
  });
  expect(await screen.findByText("2 alarms")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Show all" }));
  expect(await screen.findByText("a code was used elsewhere")).toBeVisible();
  await expectAccessible();
});

test("somebody else's use of the code is an alarm here too", async () => {
  openSchool("/", { calls: connection({ reason: "a second party has the code." }) });
  expect(await screen.findByText("The provider raised an alarm")).toBeVisible();
  expect(screen.getByText(/a second party has the code\. Call your provider now/)).toBeVisible();
});

test("a paused connection is said with the provider's reason", async () => {
  openSchool("/", { calls: connection({ state: "CONNECTION_STATE_PAUSED", reason: "until Monday" }) });
  const part = await link("Provider reachable");
  await waitFor(() => expect(part).toHaveTextContent("your provider paused them. until Monday"));
  expect(within(part).getByText("Look here")).toBeVisible();
});

test("a last arrival that did not verify is the third link's problem", async () => {
  const rejected = { number: "7", at: "2026-11-25T14:02:11Z", verdict: "bad_signature", messageId: "evt_7", code: 401 };
  openSchool("/", { calls: { "ReceiverService/ListEvents": () => ({ events: [rejected], nextPageToken: "" }) } });
  const part = await link("Last verified event");
  await waitFor(() => expect(part).toHaveTextContent("The last arrival did not verify: Bad signature."));
  expect(within(part).getByRole("link", { name: "Open the signature debugger" })).toHaveAttribute(
    "href",
    expect.stringContaining("evt_7"),
  );
});

test("nothing has arrived yet: the check is the fix", async () => {
  openSchool("/", {
    calls: {
      ...status({ lastVerifiedAt: undefined }),
      "ReceiverService/ListEvents": () => ({ events: [], nextPageToken: "" }),
    },
  });
  const part = await link("Last verified event");
  await waitFor(() => expect(part).toHaveTextContent(/Nothing has arrived yet\.\s*Run a check\./));
});

test.each([
  ["keychain_locked", "The keychain is locked"],
  ["keychain_absent", "This session has no keychain"],
  ["keychain_failed", "The secret cannot be read"],
  ["secret_gone", "The secret is not in GNOME Keyring any more"],
])("a secret that is not there (%s) is a screen of its own with a way out", async (reason, title) => {
  const { user, host } = openSchool("/", {
    calls: status({
      enrolled: false,
      schoolName: "",
      fingerprints: [],
      secretError: "in its own words",
      secretErrorReason: reason,
    }),
  });
  const alert = await screen.findByRole("alert");
  expect(within(alert).getByRole("heading", { name: title })).toBeVisible();
  expect(alert).toHaveTextContent("in its own words");
  expect(screen.queryByRole("button", { name: "Run check" })).toBeNull();
  await expectAccessible();
  await user.click(within(alert).getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(host.made).toContainEqual({ method: "restart_receiver", request: {} }));
  await user.click(within(alert).getByRole("button", { name: "Enroll with a new code" }));
  expect(await screen.findByLabelText("Enrollment code or link")).toBeVisible();
});

test("gaps: counted first, fetched only when pressed, followed until they close", async () => {
  let now = gaps(
    5,
    [
      { from: "620", to: "623" },
      { from: "630", to: "630" },
    ],
    "619",
  );
  const { user, host } = openSchool("/", {
    streams: quiet,
    calls: {
      ...status({ contiguousSequence: "619", highestSequence: "640" }),
      "ReceiverService/ListGaps": () => now,
      "SchoolLinkService/ReplaySince": () => ({ messages: "21", refused: "1" }),
    },
  });
  expect(await screen.findByText("Up to sequence 619 nothing is missing; after it 5 messages are.")).toBeVisible();
  expect(screen.getAllByText("Catching up").length).toBeGreaterThan(0);
  await user.click(await screen.findByRole("button", { name: "Fetch what is missing…" }));
  expect(await screen.findByText(/The provider would send 21 messages again/)).toHaveTextContent(
    /1 cannot be sent any more/,
  );
  const asked = () => host.made.filter(({ method }) => method === "SchoolLinkService/ReplaySince");
  expect(asked().map(({ request }) => request)).toEqual([{ afterSequence: "619", dryRun: true }]);
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Fetch" }));
  expect(await screen.findByText("Queued at the provider: 21 messages. They show up as they arrive.")).toBeVisible();
  expect(asked()[1]?.request).toEqual({ afterSequence: "619", dryRun: false });
  now = gaps(1, [{ from: "630", to: "630" }], "629");
  expect(await screen.findByText("4 of 5 gaps' messages arrived")).toBeVisible();
  now = gaps(0, [], "640");
  expect(await screen.findByText("All gaps are closed. Nothing is missing up to sequence 640.")).toBeVisible();
});

test("a large replay asks for the school's name", async () => {
  const { user, host } = openSchool("/", {
    streams: quiet,
    calls: {
      ...status({ contiguousSequence: "10", highestSequence: "5000" }),
      "ReceiverService/ListGaps": () => ({ ...gaps(2, [{ from: "11", to: "12" }], "10"), highestSequence: "5000" }),
      "SchoolLinkService/ReplaySince": () => ({ messages: "4990", refused: "0" }),
    },
  });
  await user.click(await screen.findByRole("button", { name: "Fetch what is missing…" }));
  await user.click(await screen.findByRole("button", { name: "Fetch" }));
  const dialog = await screen.findByRole("dialog", { name: "Fetch 4990 messages again?" });
  const verb = within(dialog).getByRole("button", { name: "Fetch" });
  expect(verb).toBeDisabled();
  await user.type(within(dialog).getByLabelText("Type Lindenhof Grundschule to confirm"), "Lindenhof Grundschule");
  await user.click(verb);
  await screen.findByText(/Queued at the provider/);
  expect(host.made.filter(({ method }) => method === "SchoolLinkService/ReplaySince")).toHaveLength(2);
});

test("a provider that is further says so, and that is no green", async () => {
  openSchool("/", { calls: connection({}, { headSequence: "645" }), streams: quiet });
  expect(await screen.findByText("Nothing is missing up to sequence 640; the provider is at 645.")).toBeVisible();
  expect(screen.queryByText(/^In sync at/)).toBeNull();
});

test("a provider that has given out less than has arrived here is no green, and says what to do", async () => {
  openSchool("/", { calls: connection({}, { headSequence: "12" }), streams: quiet });
  expect(await screen.findByText(/^Sequence 640 has arrived here, but .* its last one is 12\./)).toHaveTextContent(
    /Call your provider and tell them both numbers/,
  );
  expect(screen.getByText("Unknown")).toBeVisible();
  expect(screen.queryByText(/^In sync at/)).toBeNull();
  await expectAccessible();
});

test("what arrives after the provider was asked raises no doubt", async () => {
  let sequence = "640";
  openSchool("/", {
    streams: quiet,
    calls: {
      ...connection({}, { headSequence: "640" }),
      "ReceiverService/GetStatus": () => ({
        ...answer("ReceiverService/GetStatus"),
        contiguousSequence: sequence,
        highestSequence: sequence,
      }),
    },
  });
  await screen.findByText(/^In sync at/);
  sequence = "641";
  expect(await screen.findByText(/Up to sequence 641, nothing missing/, {}, { timeout: 8_000 })).toBeVisible();
  expect(screen.getByText(/^In sync at/)).toBeVisible();
});

const nothing = status({ contiguousSequence: "0", highestSequence: "0", students: 0 });

test.each([
  ["CONNECTION_STATE_NOT_CONNECTED", "no address or no secret is set there"],
  ["CONNECTION_STATE_ENROLLING", "an enrollment is under way"],
  ["CONNECTION_STATE_COMPROMISED", "a code was used by two parties"],
])("nothing was sent yet over a connection that is %s: that is no green", async (state, words) => {
  openSchool("/", { calls: { ...nothing, ...connection({ state }, { headSequence: "0" }) }, streams: quiet });
  expect(await screen.findByText(new RegExp(`has sent nothing to this school yet: ${words}`))).toBeVisible();
  expect(screen.queryByText(/^In sync at/)).toBeNull();
});

test("a connection that is well and has nothing to send is in sync", async () => {
  openSchool("/", { calls: { ...nothing, ...connection({}, { headSequence: "0" }) }, streams: quiet });
  expect(await screen.findByText(/^In sync at/)).toBeVisible();
});

test("a status that cannot be read is an error with its code, and is read again", async () => {
  let broken = true;
  const { user } = openSchool("/", {
    calls: {
      "ReceiverService/GetStatus": () => {
        if (broken) throw refusal("internal", "the database cannot be read");
        return answer("ReceiverService/GetStatus");
      },
    },
  });
  expect(await screen.findByText("the database cannot be read")).toBeVisible();
  await expectAccessible();
  broken = false;
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByText("412")).toBeVisible();
});
