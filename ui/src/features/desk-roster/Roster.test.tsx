import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { Status } from "@/gen/rollcall/school/v1/receiver";
import { refusal } from "@/shell/fake/host";
import { schoolAnswers } from "@/shell/fake/world";
import { setPreferences } from "@/theme/preferences";
import { expectAccessible, openSchool } from "../../../tests/render";

const STUDENT = {
  sourcedId: "S-7",
  version: "3",
  givenName: "José",
  familyName: "Nguyễn",
  grades: ["08"],
  receivedAt: "2026-11-25T12:00:00Z",
  json: '{"sourcedId":"S-7","version":3,"givenName":"José","familyName":"Nguyễn","identifier":"40021","grades":["08"],"enabledUser":true}',
};
const event = (number: string, eventType: string, at: string, more: object = {}) => ({
  number,
  eventType,
  at,
  verdict: "verified",
  result: "applied",
  sequence: number,
  messageId: `evt_${number}`,
  code: 200,
  latencyUs: 900,
  studentSourcedId: "S-7",
  ...more,
});
const ARRIVALS = [
  {
    event: event("9", "student.updated", "2026-11-25T12:00:00Z"),
    version: "3",
    fields: [
      { field: "grades", oldValue: '["07"]', newValue: '["08"]' },
      { field: "email", oldValue: '"jose@old.example"', newValue: null },
      { field: "homeroom", oldValue: null, newValue: '"B2"' },
    ],
    json: STUDENT.json,
  },
  {
    event: event("8", "student.updated", "2026-11-20T12:00:00Z", { result: "stale" }),
    version: "2",
    fields: [],
    json: "",
  },
  { event: event("7", "student.created", "2026-11-18T12:00:00Z"), version: "1", fields: [], json: "" },
];
const history = { "ReceiverService/ListStudentHistory": () => ({ arrivals: ARRIVALS, nextPageToken: "" }) };
const one = { "ReceiverService/ListStudents": () => ({ students: [STUDENT], nextPageToken: "" }), ...history };

test("the roster is a grid to read, with its count and its pages", async () => {
  const { host } = openSchool("/roster");
  const grid = await screen.findByRole("grid", { name: "Roster" });
  expect(await within(grid).findByText("S-1000")).toBeVisible();
  expect(await screen.findByText("412 students")).toBeVisible();
  // 412 students and the header, of which 200 are loaded.
  await waitFor(() => expect(grid).toHaveAttribute("aria-rowcount", "413"));
  expect(within(grid).queryByRole("textbox")).toBeNull();
  expect(host.made).toContainEqual({
    method: "ReceiverService/ListStudents",
    request: { pageSize: 200, search: "", pageToken: "" },
  });
  await expectAccessible();
});

test("a search is the server's, and its own empty state clears it", async () => {
  const { user, host } = openSchool("/roster");
  await screen.findByText("S-1000");
  await user.type(screen.getByLabelText("Name, student number or id"), "zzz");
  expect(await screen.findByText("No student matches “zzz”.")).toBeVisible();
  expect(host.made).toContainEqual({
    method: "ReceiverService/ListStudents",
    request: { pageSize: 200, search: "zzz", pageToken: "" },
  });
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Clear filters" }));
  expect(await screen.findByText("S-1000")).toBeVisible();
});

test("a row opens the student's history with what each message changed", async () => {
  const { user, host } = openSchool("/roster", { calls: one });
  await user.click(await screen.findByText("S-7"));
  const panel = await screen.findByRole("complementary", { name: "Student" });
  expect(within(panel).getByRole("heading", { name: "José Nguyễn" })).toBeVisible();
  const entries = await within(panel).findAllByRole("listitem");
  expect(entries).toHaveLength(3);
  expect(entries[0]).toHaveTextContent("Changed");
  expect(entries[0]).toHaveTextContent("GradesBefore: 07After: 08");
  expect(entries[0]).toHaveTextContent("EmailBefore: jose@old.exampleAfter: absent");
  expect(entries[0]).toHaveTextContent("homeroomBefore: absentAfter: B2");
  expect(entries[1]).toHaveTextContent("It changed nothing here.");
  expect(entries[2]).toHaveTextContent("First version here");
  expect(host.made).toContainEqual({
    method: "ReceiverService/ListStudentHistory",
    request: { sourcedId: "S-7", pageSize: 50, pageToken: "" },
  });
  await expectAccessible();
  // Enter in the grid opens, Esc closes.
  await user.keyboard("{Escape}");
  expect(screen.queryByRole("complementary", { name: "Student" })).toBeNull();
  expect(screen.getByRole("grid")).toHaveFocus();
  await user.keyboard("{Enter}");
  expect(await screen.findByRole("complementary", { name: "Student" })).toBeVisible();
});

test("the raw record is shown as it was sent", async () => {
  const { user } = openSchool("/roster", { calls: one });
  await user.click(await screen.findByText("S-7"));
  await user.click(await screen.findByRole("button", { name: "Show the record" }));
  expect(screen.getByText(STUDENT.json)).toBeVisible();
});

test("hidden personal data is nowhere in the page", async () => {
  setPreferences({ hidePersonal: true });
  try {
    const { user } = openSchool("/roster", { calls: one });
    await user.click(await screen.findByText("S-7"));
    await screen.findByRole("complementary", { name: "Student" });
    await screen.findAllByRole("listitem");
    await user.click(screen.getByRole("button", { name: "Show the record" }));
    for (const personal of ["José", "Nguyễn", "40021", "jose@old.example"]) {
      expect(document.body.textContent).not.toContain(personal);
    }
  } finally {
    setPreferences({ hidePersonal: false });
  }
});

test.each([
  ["As CSV, for a spreadsheet", "csv", /^roster-sch-7-\d{4}-\d\d-\d\d\.csv$/],
  ["As OneRoster zip, for another program", "oneroster", /^roster-sch-7-\d{4}-\d\d-\d\d\.zip$/],
  ["As JSON lines, as the provider sent it", "jsonl", /^roster-sch-7-\d{4}-\d\d-\d\d\.jsonl$/],
])("an export %s goes to a file that somebody names, past the page", async (label, format, name) => {
  const { user, host } = openSchool("/roster", { calls: one });
  await user.click(await screen.findByRole("button", { name: "Export" }));
  await user.click(await screen.findByRole("menuitem", { name: label }));
  expect(await screen.findByText("1 KB written")).toBeVisible();
  const saved = host.made.find(({ method }) => method === "save_file")?.request;
  expect(saved).toEqual({
    method: "ReceiverService/ExportRoster",
    request: { format },
    suggestedName: expect.stringMatching(name),
  });
});

test("an export that fails says why", async () => {
  const { user, host } = openSchool("/roster", { calls: one });
  host.refuse.set("save_file", refusal("file", "the disk is full"));
  await user.click(await screen.findByRole("button", { name: "Export" }));
  await user.click(await screen.findByRole("menuitem", { name: /CSV/ }));
  expect(await screen.findByText("the disk is full")).toBeVisible();
});

test("before the first student one sentence leads on", async () => {
  openSchool("/roster", { calls: { "ReceiverService/ListStudents": () => ({ students: [], nextPageToken: "" }) } });
  expect(await screen.findByText(/No student has arrived yet/)).toBeVisible();
  expect(screen.getByRole("button", { name: "Go to Status" })).toBeVisible();
  await expectAccessible();
});

test("a roster that cannot be read is an error; one that was read stays", async () => {
  let broken = true;
  const { user } = openSchool("/roster", {
    calls: {
      "ReceiverService/ListStudents": () => {
        if (broken) throw refusal("internal", "the roster cannot be read");
        return { students: [STUDENT], nextPageToken: "" };
      },
    },
  });
  expect(await screen.findByText("the roster cannot be read")).toBeVisible();
  await expectAccessible();
  broken = false;
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByText("S-7")).toBeVisible();
});

test("a history that cannot be read is told in the panel", async () => {
  const { user } = openSchool("/roster", {
    calls: {
      ...one,
      "ReceiverService/ListStudentHistory": () => {
        throw refusal("internal", "the history cannot be read");
      },
    },
  });
  await user.click(await screen.findByText("S-7"));
  expect(await screen.findByText("the history cannot be read")).toBeVisible();
});

test("a student who arrives while the roster is open is shown by itself", async () => {
  let arrived = false;
  const base = schoolAnswers().calls?.["ReceiverService/GetStatus"];
  openSchool("/roster", {
    calls: {
      "ReceiverService/GetStatus": (request) => ({
        ...(base?.(request) as Status),
        students: arrived ? 1 : 0,
        highestSequence: arrived ? "1" : "0",
      }),
      "ReceiverService/ListStudents": () => ({ students: arrived ? [STUDENT] : [], nextPageToken: "" }),
    },
  });
  expect(await screen.findByText(/No student has arrived yet/)).toBeVisible();
  arrived = true;
  expect(await screen.findByText("Nguyễn", {}, { timeout: 20_000 })).toBeVisible();
});

/** A receiver whose roster and numbers a test changes. */
function changing(students: object[]) {
  const base = schoolAnswers().calls?.["ReceiverService/GetStatus"];
  const now = { students, status: {} as Partial<Status> };
  const calls = {
    ...history,
    "ReceiverService/GetStatus": (request: object) => ({ ...(base?.(request) as Status), ...now.status }),
    "ReceiverService/ListStudents": ({ search }: { search: string }) => ({
      students: now.students.filter((student) => JSON.stringify(student).includes(search)),
      nextPageToken: "",
    }),
  };
  return { now, calls };
}

test("a student who leaves while the panel is open is gone from it", async () => {
  const { now, calls } = changing([STUDENT]);
  const { user } = openSchool("/roster", { calls });
  await user.click(await screen.findByText("S-7"));
  const panel = await screen.findByRole("complementary", { name: "Student" });
  expect(within(panel).getByRole("heading", { name: "José Nguyễn" })).toBeVisible();
  // The withdrawal came late and filled a gap: the highest sequence is what it was.
  Object.assign(now, { students: [], status: { contiguousSequence: "639" } });
  expect(await within(panel).findByText(/no longer at this school/, {}, { timeout: 12_000 })).toBeVisible();
  for (const personal of ["José", "Nguyễn", "40021", "jose@old.example"]) {
    expect(document.body.textContent).not.toContain(personal);
  }
  await expectAccessible();
}, 15_000);

test("a student who changes while the panel is open is shown as held now", async () => {
  const { now, calls } = changing([STUDENT]);
  const { user } = openSchool("/roster", { calls });
  await user.click(await screen.findByText("S-7"));
  const panel = await screen.findByRole("complementary", { name: "Student" });
  const changed = { ...STUDENT, version: "4", familyName: "Tran", json: STUDENT.json.replace("Nguyễn", "Tran") };
  Object.assign(now, { students: [changed], status: { lastVerifiedAt: "2026-11-26T12:00:00Z" } });
  expect(await within(panel).findByRole("heading", { name: "José Tran" }, { timeout: 12_000 })).toBeVisible();
  expect(panel).not.toHaveTextContent("Nguyễn");
}, 15_000);

test("a search that hides the open student does not make them gone", async () => {
  const { calls } = changing([STUDENT, { ...STUDENT, sourcedId: "S-8", familyName: "Abel" }]);
  const { user } = openSchool("/roster", { calls });
  await user.click(await screen.findByText("S-7"));
  await user.type(screen.getByLabelText("Name, student number or id"), "Abel");
  await waitFor(() => expect(within(screen.getByRole("grid")).queryByText("S-7")).toBeNull());
  const panel = screen.getByRole("complementary", { name: "Student" });
  expect(await within(panel).findByRole("heading", { name: "José Nguyễn" })).toBeVisible();
  expect(within(panel).queryByText(/no longer at this school/)).toBeNull();
});
