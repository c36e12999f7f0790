import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { refusal } from "@/shell/fake/host";
import { dialogOf, expectAccessible, openProvider } from "../../../tests/render";
import { changes, conflicts, merge, toStudent } from "./student";
import { calls, changed, ZOE } from "./testing";

const PUT = "StudentService/PutStudent";
type Made = { method: string; request: unknown }[];
const puts = (made: Made) =>
  made
    .filter(({ method }) => method === PUT)
    .map(({ request }) => request as Parameters<typeof changed>[0] & { idempotencyKey?: string });

async function openZoe(more: Record<string, (request: never) => unknown> = {}) {
  const opened = openProvider("/students", { calls: { ...calls, ...more } });
  await opened.user.click(await screen.findByText("Okafor"));
  const drawer = await screen.findByRole("dialog");
  await within(drawer).findByRole("textbox", { name: "Given name" });
  return { ...opened, drawer: within(drawer) };
}

test("before a student is saved it is said which schools are told; then exactly that is sent, once", async () => {
  const { user, host, drawer } = await openZoe();
  expect(drawer.getByRole("button", { name: "Review" })).toBeDisabled();
  const given = drawer.getByRole("textbox", { name: "Given name" });
  await user.clear(given);
  await user.type(given, "Zora");
  await user.click(drawer.getByRole("button", { name: "Review" }));
  expect(
    await drawer.findByText("Sends student.updated to 2 schools: Lincoln High School, Oak Middle School"),
  ).toBeVisible();
  await expectAccessible();
  expect(puts(host.made)).toHaveLength(1);
  expect(puts(host.made)[0]).toMatchObject({ dryRun: true, student: { version: "7", givenName: "Zora" } });
  await user.click(drawer.getByRole("button", { name: "Save and send" }));
  expect(await screen.findByText("Saved. 2 messages are queued.")).toBeVisible();
  const [, saved] = puts(host.made);
  expect(saved).toMatchObject({ dryRun: false, student: { version: "7", givenName: "Zora" } });
  expect(saved?.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
  expect(puts(host.made)).toHaveLength(2);
});

test("violations stand at their fields", async () => {
  const { user, drawer } = await openZoe({
    [PUT]: () => {
      throw refusal("invalid_argument", "the student has faults", {
        violations: [
          { field: "student.email", message: "must have at most 255 characters" },
          { field: "school_enrollments[1].end_date", message: "must be after beginDate" },
        ],
      });
    },
  });
  await user.type(drawer.getByRole("textbox", { name: "E-mail" }), "zoe@example.org");
  await user.click(drawer.getByRole("button", { name: "Review" }));
  expect(await drawer.findByText("must have at most 255 characters")).toBeVisible();
  const second = drawer.getByRole("group", { name: "Enrollment 2" });
  expect(within(second).getByText("must be after beginDate")).toBeVisible();
  expect(screen.queryByText("the student has faults")).toBeNull();
});

test("an edit conflict shows both sides by field, and nothing is sent before the choice was reviewed", async () => {
  let theirs = ZOE;
  const { user, host, drawer } = await openZoe({
    "StudentService/GetStudent": () => theirs,
    [PUT]: (request: Parameters<typeof changed>[0]) => {
      if (request.student.version === theirs.version) return changed(request);
      const violations = [{ field: "version", message: "is not current: 9 is" }];
      throw refusal("aborted", "the student was changed meanwhile", { violations });
    },
  });
  const given = drawer.getByRole("textbox", { name: "Given name" });
  await user.clear(given);
  await user.type(given, "Zora");
  theirs = { ...ZOE, version: "9", givenName: "Zoey", familyName: "Reed" };
  await user.click(drawer.getByRole("button", { name: "Review" }));
  const conflict = await dialogOf("Somebody else changed this student");
  expect(conflict.getByRole("radio", { name: "Given name: Mine" })).toBeChecked();
  expect(conflict.getByRole("radio", { name: "Family name: Theirs" })).toBeChecked();
  expect(conflict.getByText("Both changed")).toBeVisible();
  expect(conflict.queryByText("Grade")).toBeNull();
  await expectAccessible();
  await user.click(conflict.getByRole("radio", { name: "Given name: Mine" }));
  await user.click(conflict.getByRole("button", { name: "Go on with these" }));
  expect(await drawer.findByText(/Sends student.updated to 2 schools/)).toBeVisible();
  expect(puts(host.made).at(-1)).toMatchObject({
    dryRun: true,
    student: { version: "9", givenName: "Zora", familyName: "Reed" },
  });
  expect(puts(host.made).some(({ dryRun }) => !dryRun)).toBe(false);
});

test("a new student never replaces one that is there", async () => {
  const { user, host } = openProvider("/students", { calls });
  await user.click(await screen.findByRole("button", { name: "Add a student" }));
  const drawer = within(await screen.findByRole("dialog"));
  await user.type(drawer.getByRole("textbox", { name: "sourcedId" }), "S-1");
  await user.type(drawer.getByRole("textbox", { name: "Given name" }), "Ana");
  await user.type(drawer.getByRole("textbox", { name: "Family name" }), "Silva");
  await user.click(drawer.getByRole("combobox", { name: "School" }));
  await user.click(await screen.findByTitle("Oak Middle School"));
  await user.click(drawer.getByRole("button", { name: "Review" }));
  expect(await drawer.findByText("Another student has this sourcedId")).toBeVisible();
  await waitFor(() => expect(puts(host.made)).toHaveLength(0));
});

test("history shows what each version changed, with the values before", async () => {
  const { user, drawer } = await openZoe();
  await user.click(drawer.getByRole("tab", { name: "History" }));
  const [newest, oldest] = await within(await drawer.findByRole("list", { name: "History" })).findAllByRole("listitem");
  const grade = within(newest as HTMLElement).getByRole("row", { name: /^Grade/ });
  expect(
    within(grade)
      .getAllByRole("cell")
      .map((cell) => cell.textContent),
  ).toEqual(["08", "09"]);
  expect(within(newest as HTMLElement).getByText("by mara")).toBeVisible();
  expect(within(newest as HTMLElement).queryByText("Given name")).toBeNull();
  expect(within(oldest as HTMLElement).getByText("First version")).toBeVisible();
  await expectAccessible();
});

test("blank texts are absent values, and a choice keeps the rest of theirs", () => {
  expect(toStudent(ZOE, { email: " ", middleName: "" })).not.toHaveProperty("email");
  const mine = { ...ZOE, givenName: "Zora" };
  const theirs = { ...ZOE, version: "9", grades: ["10"] };
  expect(conflicts(ZOE, mine, theirs)).toEqual([
    { field: "givenName", changedBy: "mine" },
    { field: "grades", changedBy: "theirs" },
  ]);
  const nobody = { changeId: "", events: 0, repeated: false, sends: [] };
  expect(changes(ZOE, { ...nobody, student: mine })).toBe(true);
  expect(changes(ZOE, { ...nobody, student: { ...ZOE, version: "8" } })).toBe(false);
  expect(merge(mine, theirs, new Set(["givenName" as const]))).toEqual({ ...theirs, givenName: "Zora" });
});
