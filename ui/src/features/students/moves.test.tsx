import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { dialogOf, expectAccessible, openProvider } from "../../../tests/render";
import { calls, ZOE } from "./testing";

const MARKED = { ...ZOE, status: "STUDENT_STATUS_TOBEDELETED" as const, version: "8" };
type Made = { method: string; request: unknown }[];
const made = (all: Made, method: string) => all.filter((one) => one.method === method).map(({ request }) => request);

async function openZoe(more: Record<string, (request: never) => unknown> = {}) {
  const opened = openProvider("/students", { calls: { ...calls, ...more } });
  await opened.user.click(await screen.findByText("Okafor"));
  return { ...opened, drawer: within(await screen.findByRole("dialog")) };
}

test("a transfer says first whom it tells, then does exactly that", async () => {
  const { user, host, drawer } = await openZoe({
    "StudentService/TransferStudent": ({ dryRun }: { dryRun: boolean }) => ({
      student: { ...ZOE, version: "8" },
      changeId: "",
      events: dryRun ? 0 : 2,
      repeated: false,
      sends: dryRun
        ? [
            {
              schoolId: "a",
              schoolSourcedId: "org-101",
              schoolName: "Lincoln High School",
              eventType: "student.withdrawn",
            },
            {
              schoolId: "b",
              schoolSourcedId: "org-103",
              schoolName: "Riverside Elementary",
              eventType: "student.enrolled",
            },
          ]
        : [],
    }),
  });
  await user.click(await drawer.findByRole("tab", { name: "Enroll, withdraw, transfer" }));
  await drawer.findByRole("combobox", { name: "From school" });
  // Before a list is opened: antd gives its listbox no name.
  await expectAccessible();
  await user.click(drawer.getByRole("combobox", { name: "From school" }));
  await user.click(await screen.findByTitle("Lincoln High School"));
  await user.click(drawer.getByRole("combobox", { name: "To school" }));
  await user.click(await screen.findByTitle("Riverside Elementary"));
  await user.click(drawer.getByRole("button", { name: "Review" }));
  expect(await drawer.findByText("Sends student.withdrawn to 1 school: Lincoln High School")).toBeVisible();
  expect(drawer.getByText("Sends student.enrolled to 1 school: Riverside Elementary")).toBeVisible();
  await user.click(drawer.getByRole("button", { name: "Transfer" }));
  expect(await screen.findByText("Transferred. 2 messages are queued.")).toBeVisible();
  const [dry, real] = made(host.made, "StudentService/TransferStudent");
  const what = { sourcedId: "S-1", fromSchool: "org-101", toSchool: "org-103" };
  expect(dry).toMatchObject({ ...what, dryRun: true });
  expect(real).toMatchObject({ ...what, dryRun: false });
});

test("marking for deletion acts at once and is taken back from its toast", async () => {
  const { user, host, drawer } = await openZoe({
    "StudentService/DeleteStudent": () => ({
      student: MARKED,
      changeId: "chg_1",
      events: 2,
      repeated: false,
      sends: [],
    }),
  });
  await user.click(await drawer.findByRole("button", { name: "More acts" }));
  await user.click(await screen.findByText("Mark for deletion"));
  expect(await screen.findByText("S-1 is marked for deletion. 2 schools are told.")).toBeVisible();
  // Also after the drawer was closed.
  await user.click(drawer.getByRole("button", { name: "Close" }));
  await user.click(screen.getByRole("button", { name: "Undo" }));
  expect(await screen.findByText("Restored. 2 schools are told.")).toBeVisible();
  const [restored] = made(host.made, "StudentService/PutStudent");
  expect(restored).toMatchObject({ student: { status: "STUDENT_STATUS_ACTIVE", version: "8" }, dryRun: false });
});

test("erasing takes the typed sourcedId and a reason, and answers a receipt", async () => {
  const { user, host, drawer } = await openZoe({
    "StudentService/EraseStudent": () => ({
      studentId: "stu_1",
      version: "9",
      events: 2,
      versionsDeleted: 7,
      bodiesDeleted: 12,
    }),
  });
  await user.click(await drawer.findByRole("button", { name: "More acts" }));
  await user.click(await screen.findByText("Erase permanently…"));
  const dialog = await dialogOf("Erase this student permanently?");
  const verb = dialog.getByRole("button", { name: "Erase permanently" });
  await waitFor(() => expect(dialog.getByRole("button", { name: "Cancel" })).toHaveFocus());
  await user.type(dialog.getByRole("textbox", { name: "Type S-1 to confirm" }), "S-1");
  expect(verb).toBeDisabled();
  await user.type(dialog.getByRole("textbox", { name: "Reason" }), "asked by the family");
  await expectAccessible();
  await user.click(verb);
  expect(await screen.findByText(/7 versions and 12 message bodies deleted, 2 schools are told/)).toBeVisible();
  expect(made(host.made, "StudentService/EraseStudent")).toEqual([
    { district: expect.any(String), sourcedId: "S-1", confirmSourcedId: "S-1", reason: "asked by the family" },
  ]);
});
