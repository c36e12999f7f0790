import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { FakeHost, refusal } from "@/shell/fake/host";
import { DISTRICTS, SCHOOLS } from "@/shell/fake/seed";
import { OWNER, providerAnswers } from "@/shell/fake/world";
import { expectAccessible, openProvider } from "../../../tests/render";

const idOf = (name: string) => SCHOOLS.find((school) => school.name === name)?.id ?? "";
const place = (name: string, tab = "overview") => `/schools/${idOf(name)}?tab=${tab}`;
const sent = (host: FakeHost, method: string) =>
  host.made.filter((made) => made.method === method).map(({ request }) => request);
const as = (role: string) => ({ ...OWNER, staff: { ...OWNER.staff, role } });

/** A school of the made-up district, changed. */
function school(name: string, change: (school: School) => void) {
  const read = providerAnswers().calls?.["SchoolService/GetSchool"];
  return {
    "SchoolService/GetSchool": () => {
      const found = read?.({ school: idOf(name) }) as School;
      change(found);
      return found;
    },
  };
}

test("the overview says how the school is and why, and opens its log", async () => {
  const { host, user } = openProvider(place("Riverside Elementary"));
  expect(await screen.findByRole("heading", { name: "Riverside Elementary" })).toBeVisible();
  expect(screen.getByRole("alert")).toHaveTextContent(/Nothing was deliverable .*Next try: \d{4}-/);
  expect(screen.getByText("https://sis.org-103.example/webhook")).toBeVisible();
  expect(await screen.findByRole("img", { name: /^Attempts, 24 h\. / })).toBeVisible();
  expect(screen.getByText("5 waiting, 212 parked")).toBeVisible();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Open webhook log" }));
  expect(sent(host, "open_log_window")).toEqual([
    { school: idOf("Riverside Elementary"), title: "Riverside Elementary" },
  ]);
});

test("a test event tells how it went", async () => {
  const { user } = openProvider(place("Riverside Elementary"));
  await user.click(await screen.findByRole("button", { name: "Send a test event" }));
  expect(await screen.findByText(/couldn't be delivered: the school's system refuses the connection/)).toBeVisible();
});

test("tabs are places", async () => {
  const { user } = openProvider(place("Lincoln High School"));
  await user.click(await screen.findByRole("tab", { name: "Secrets" }));
  await waitFor(() => expect(window.location.hash).toBe(`#${place("Lincoln High School", "secrets")}`));
  expect(await screen.findByRole("region", { name: "Signing secrets" })).toBeVisible();
});

test("deliveries in figures, with the causes in words", async () => {
  const stats = {
    attempts: "1204",
    byStatus: { delivered: "1190", retrying: "14" },
    byCause: { timeout: "9", tls: "5" },
    latencyP50Us: 80_000,
    latencyP95Us: 410_000,
    latencyP99Us: 2_100_000,
    pending: "0",
    parked: "0",
    oldestPendingAt: undefined,
  };
  const { host, user } = openProvider(place("Lincoln High School", "deliveries"), {
    calls: { "LogService/GetStats": () => stats },
  });
  expect(await screen.findByText("No answer in time")).toBeVisible();
  expect(screen.getByText("Certificate or TLS")).toBeVisible();
  expect(screen.getByText("2.1 s")).toBeVisible();
  expect(screen.getByText("1,190")).toBeVisible();
  await expectAccessible();
  const messages = screen.getByRole("region", { name: "Messages by state" });
  await user.click(within(messages).getByRole("button", { name: "Open webhook log" }));
  expect(sent(host, "open_log_window")).toHaveLength(1);
});

test("secrets by their words; the old key is told to be safe to revoke", async () => {
  openProvider(place("Maple Grove Elementary", "secrets"));
  const secrets = await screen.findByRole("region", { name: "Signing secrets" });
  expect(within(secrets).getByText("In force")).toBeVisible();
  expect(within(secrets).getByText("Ends soon")).toBeVisible();
  expect(within(secrets).getByText("Old key last needed 3 hr. ago: safe to revoke")).toBeVisible();
  await expectAccessible();
});

test("what the receiver does not say is Unknown", async () => {
  openProvider(place("Bayview High School", "secrets"));
  const secrets = await screen.findByRole("region", { name: "Signing secrets" });
  expect(within(secrets).getByText("Unknown")).toBeVisible();
});

test("a rotation for School Desk waits to be fetched, with the overlap that was chosen", async () => {
  const { host, user } = openProvider(place("Lincoln High School", "secrets"));
  await user.click(await screen.findByRole("button", { name: "Rotate" }));
  const dialog = await screen.findByRole("dialog");
  await waitFor(() => expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus());
  await user.click(within(dialog).getByRole("radio", { name: "7 days" }));
  await expectAccessible();
  await user.click(within(dialog).getByRole("button", { name: "Rotate" }));
  expect(await screen.findByText("A new secret waits until Lincoln High School has fetched it")).toBeVisible();
  expect(await screen.findByText("Waiting to be fetched")).toBeVisible();
  expect(sent(host, "SchoolService/RotateSecret")).toEqual([
    { school: idOf("Lincoln High School"), overlapS: 604_800 },
  ]);
});

test("revoking now takes the school's typed name", async () => {
  const { host, user } = openProvider(place("Lincoln High School", "secrets"));
  await user.click(await screen.findByRole("button", { name: "Revoke now" }));
  const dialog = await screen.findByRole("dialog");
  const revoke = within(dialog).getByRole("button", { name: "Revoke now" });
  expect(revoke).toBeDisabled();
  await user.type(within(dialog).getByRole("textbox"), "lincoln high school");
  expect(revoke).toBeDisabled();
  await user.clear(within(dialog).getByRole("textbox"));
  await user.type(within(dialog).getByRole("textbox"), "Lincoln High School");
  await user.click(revoke);
  expect(await screen.findByText(/^The secret is revoked: messages wait until/)).toBeVisible();
  expect(await screen.findByText("Secret revoked")).toBeVisible();
  expect(sent(host, "SchoolService/RotateSecret")).toEqual([{ school: idOf("Lincoln High School"), revokeNow: true }]);
});

test("a secret of an own receiver is only ever rotated in its own window", async () => {
  const { host, user } = openProvider(place("Bayview High School", "secrets"));
  await user.click(await screen.findByRole("button", { name: "Rotate" }));
  await user.click(screen.getByRole("button", { name: "Revoke now" }));
  const school = idOf("Bayview High School");
  expect(sent(host, "open_secret_window")).toEqual([
    { school, rotate: true },
    { school, rotate: true },
  ]);
  expect(sent(host, "SchoolService/RotateSecret")).toEqual([]);
});

test("a code that met a second party alarms, and says whether a secret stays", async () => {
  const { unmount } = openProvider(place("Harbor Middle School", "secrets"));
  const alarm = await screen.findByText("This code was used by a second party");
  expect(alarm.closest("[role=alert]")).toHaveTextContent(
    /UNKNOWN-PC redeemed it first, at .* No secret of it is in force/,
  );
  expect(screen.getByRole("button", { name: "Create a new code" })).toBeVisible();
  await expectAccessible();
  unmount();
  openProvider(place("Lincoln High School", "secrets"), {
    calls: school("Lincoln High School", ({ connection }) => {
      if (connection?.code) connection.code.state = "compromised";
    }),
  });
  expect(await screen.findByText(/so its secret stays in force; then somebody else tried too/)).toBeVisible();
});

test.each([
  ["expired", "The last code expired unused."],
  ["locked", "The last code was locked by wrong tries. Create a new one."],
  ["revoked", "The last code was revoked."],
])("a code that is %s says so", async (state, words) => {
  openProvider(place("Jefferson Magnet", "secrets"), {
    calls: school("Jefferson Magnet", ({ connection }) => {
      if (connection?.code) connection.code.state = state;
    }),
  });
  expect(await screen.findByText(words)).toBeVisible();
  expect(screen.getByRole("button", { name: "Create a new code" })).toBeVisible();
});

test("a code of somebody else that is out can be revoked, not seen", async () => {
  const { host, user } = openProvider(place("Jefferson Magnet", "secrets"));
  expect(await screen.findByText(/A code of ada is out\. It was shown once/)).toBeVisible();
  expect(screen.queryByTestId("enrollment-code")).toBeNull();
  await user.click(screen.getByRole("button", { name: "Revoke" }));
  expect(await screen.findByText("The last code was revoked.")).toBeVisible();
  expect(sent(host, "SchoolService/RevokeCode")).toEqual([{ school: idOf("Jefferson Magnet") }]);
});

test("tries and speed are saved as typed, in seconds; faults stand at their fields", async () => {
  const { host, user } = openProvider(place("Lincoln High School", "settings"));
  const policy = await screen.findByRole("region", { name: "Tries and speed" });
  const tries = within(policy).getByLabelText("Automatic tries");
  await user.clear(tries);
  await user.type(tries, "3");
  const wait = within(policy).getByRole("spinbutton", { name: "Wait before try 2" });
  expect(wait).toHaveValue("5");
  await user.clear(wait);
  await user.type(wait, "0.5");
  await user.click(within(policy).getByRole("button", { name: "Remove the last wait" }));
  await user.click(within(policy).getByRole("button", { name: "Save" }));
  expect(await screen.findByText("Tries and speed were saved")).toBeVisible();
  expect(sent(host, "SchoolService/ConnectSchool")).toEqual([
    {
      school: idOf("Lincoln High School"),
      url: "https://sis.org-101.example/webhook",
      ownReceiver: false,
      retry: { maxTries: 3, delaysMs: [500, 30_000, 180_000], probeMs: 900_000, timeoutMs: 15_000 },
      maxInFlight: 32,
    },
  ]);
  const wrong = { field: "retry.delaysMs[1]", message: "must be 1 to 86400000" };
  host.refuse.set("SchoolService/ConnectSchool", refusal("invalid_argument", "wrong", { violations: [wrong] }));
  await user.click(within(policy).getByRole("button", { name: "Save" }));
  expect(await within(policy).findByText(wrong.message)).toBeVisible();
  await expectAccessible();
});

test("an address is tested, saved, and taken back by Undo", async () => {
  const { host, user } = openProvider(place("Lincoln High School", "settings"));
  const section = await screen.findByRole("region", { name: "Address" });
  const field = within(section).getByLabelText("Webhook address");
  await user.clear(field);
  await user.type(field, "https://new.example/hook");
  await user.click(within(section).getByRole("button", { name: "Test the address" }));
  expect(await within(section).findByText("The address answers")).toBeVisible();
  await user.click(within(section).getByRole("button", { name: "Save" }));
  expect(await screen.findByText("The address was saved")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await waitFor(() => expect(field).toHaveValue("https://sis.org-101.example/webhook"));
  expect(sent(host, "SchoolService/ConnectSchool")).toMatchObject([
    { url: "https://new.example/hook", ownReceiver: false },
    { url: "https://sis.org-101.example/webhook", ownReceiver: false },
  ]);
});

test("a school is renamed, and called as before by Undo", async () => {
  const { user } = openProvider(place("Lincoln High School", "settings"));
  const section = await screen.findByRole("region", { name: "Name" });
  await user.type(within(section).getByLabelText("School name"), " East");
  await user.click(within(section).getByRole("button", { name: "Save" }));
  expect(await screen.findByRole("heading", { name: "Lincoln High School East" })).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Undo" }));
  expect(await screen.findByRole("heading", { name: "Lincoln High School" })).toBeVisible();
});

test("deleting takes the typed name and leads back to the schools", async () => {
  const { host, user } = openProvider(place("Westfield Academy", "settings"));
  await user.click(await screen.findByRole("button", { name: "Delete this school" }));
  const dialog = await screen.findByRole("dialog");
  await waitFor(() => expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus());
  await user.type(within(dialog).getByRole("textbox"), "Westfield Academy");
  await user.click(within(dialog).getByRole("button", { name: "Delete this school" }));
  expect(await screen.findByText("Westfield Academy is deleted; 41 messages were discarded")).toBeVisible();
  await waitFor(() => expect(window.location.hash).toBe("#/schools"));
  await screen.findByRole("listitem", { name: "Lincoln High School" });
  expect(screen.queryByRole("listitem", { name: "Westfield Academy" })).toBeNull();
  expect(sent(host, "SchoolService/DeleteSchool")).toEqual([
    { school: idOf("Westfield Academy"), confirmName: "Westfield Academy" },
  ]);
});

test("activity is this school's part of the district's audit log", async () => {
  const entry = (number: string, subject: string, act: string) => ({
    number,
    at: "2026-11-23T16:05:12Z",
    actor: "staff:ada",
    act,
    subject,
    detail: "",
  });
  const { host, user } = openProvider(place("Lincoln High School", "activity"), {
    calls: {
      "AuditService/ListAudit": ({ pageToken }: { pageToken: string }) =>
        pageToken
          ? { entries: [entry("1", idOf("Lincoln High School"), "school.created")], nextPageToken: "" }
          : {
              entries: [
                entry("3", idOf("Lincoln High School"), "school.paused"),
                entry("2", idOf("Oak Middle School"), "school.resumed"),
              ],
              nextPageToken: "more",
            },
    },
  });
  expect(await screen.findByText("Paused the school")).toBeVisible();
  expect(screen.queryByText("Resumed the school")).toBeNull();
  expect(screen.getByText("2 entries of the district searched")).toBeVisible();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Search older entries" }));
  expect(await screen.findByText("Created the school")).toBeVisible();
  expect(sent(host, "AuditService/ListAudit")).toMatchObject([
    { district: DISTRICTS[0]?.id, pageToken: "" },
    { district: DISTRICTS[0]?.id, pageToken: "more" },
  ]);
});

test("a viewer sees the settings locked and no activity", async () => {
  openProvider(place("Lincoln High School", "settings"), { session: as("ROLE_VIEWER") });
  const address = await screen.findByRole("region", { name: "Address" });
  expect(screen.getByText(/Only an operator of the district or an owner/)).toBeVisible();
  expect(within(address).getByLabelText("Webhook address")).toBeDisabled();
  expect(screen.queryByRole("button", { name: "Save" })).toBeNull();
  expect(screen.queryByRole("button", { name: "Delete this school" })).toBeNull();
  expect(screen.queryByRole("tab", { name: "Activity" })).toBeNull();
  await expectAccessible();
});

test("an auditor reads the activity and changes nothing", async () => {
  openProvider(place("Lincoln High School", "secrets"), { session: as("ROLE_AUDITOR") });
  expect(await screen.findByRole("tab", { name: "Activity" })).toBeVisible();
  expect(screen.queryByRole("button", { name: "Rotate" })).toBeNull();
  expect(screen.queryByRole("button", { name: "Create a new code" })).toBeNull();
});

test("a school that is not there says so; a fault has Retry", async () => {
  const { unmount } = openProvider("/schools/sch_nowhere");
  expect(await screen.findByText(/This school does not exist, or it is not in your districts/)).toBeVisible();
  unmount();
  const host = new FakeHost(providerAnswers()).signedIn();
  host.refuse.set("SchoolService/GetSchool", refusal("internal", "the server had a fault"));
  const { user } = openProvider(place("Lincoln High School"), {}, host);
  expect(await screen.findByRole("alert")).toHaveTextContent("the server had a fault");
  host.refuse.clear();
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByRole("heading", { name: "Lincoln High School" })).toBeVisible();
});
