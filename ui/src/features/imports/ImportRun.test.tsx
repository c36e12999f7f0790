import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import { newRun, planned, seedProblems } from "@/shell/fake/importSeed";
import { DISTRICTS } from "@/shell/fake/seed";
import { dialogOf, expectAccessible, openProvider } from "../../../tests/render";
import { pace } from "./pace";
import { byRule, undoUntil } from "./run";

const DISTRICT = DISTRICTS[0] ?? { id: "", name: "" };
const HELD = newRun(50, {
  state: "IMPORT_STATE_HELD",
  phase: "planning",
  ...planned(DISTRICT.id, 5, 20, 612),
  holds: [{ code: "deletions", message: "612 of 4,104 students would be deleted", figure: "149", schoolSourcedId: "" }],
});

function open(run: ImportRun) {
  const opened = openProvider(`/imports/${run.id}`, {
    calls: {
      "ImportService/GetImport": () => run,
      "ImportService/ApproveImport": () => run,
      "ImportService/DiscardImport": () => run,
      "ImportService/UndoImport": () => run,
      "ImportService/ListProblems": () => ({ problems: seedProblems(), nextPageToken: "" }),
      "ImportService/ListPlannedChanges": () => ({
        changes: [
          {
            sourcedId: "S-1",
            displayName: "Noah Kim",
            kind: "updated",
            line: "4",
            fields: [
              { field: "grades", oldValue: "08", newValue: "09" },
              { field: "email", newValue: "n@example.org" },
            ],
            schoolSourcedIds: [],
          },
        ],
        nextPageToken: "",
      }),
    },
  });
  const requests = (method: string) =>
    opened.host.made.filter((one) => one.method === method).map(({ request }) => request);
  return { ...opened, requests };
}

test("a plan with many deletions is approved only by typing the district's name", async () => {
  const { user, requests } = open(HELD);
  expect(await screen.findByText("612 of 4,104 students would be deleted")).toBeVisible();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Approve 637 changes" }));
  const dialog = await dialogOf("Delete 612 students?");
  await waitFor(() => expect(dialog.getByRole("button", { name: "Cancel" })).toHaveFocus());
  const verb = dialog.getByRole("button", { name: "Approve and delete 612" });
  expect(verb).toBeDisabled();
  expect(requests("ImportService/ApproveImport")).toEqual([]);
  await user.type(dialog.getByRole("textbox"), DISTRICT.name);
  await user.click(verb);
  await waitFor(() =>
    expect(requests("ImportService/ApproveImport")).toEqual([{ run: HELD.id, withoutDeletions: false }]),
  );
});

test("additions and updates alone need no typing; a discard applies nothing", async () => {
  const { user, requests } = open(HELD);
  await user.click(await screen.findByRole("button", { name: "Apply additions and updates only" }));
  await waitFor(() =>
    expect(requests("ImportService/ApproveImport")).toEqual([{ run: HELD.id, withoutDeletions: true }]),
  );
  await user.click(screen.getByRole("button", { name: "Discard" }));
  expect(await screen.findByText("Discarded. Nothing was applied.")).toBeVisible();
});

test("whose record changes is read only once asked for", async () => {
  const { user, requests } = open(HELD);
  await screen.findByText("Whose record changes");
  expect(requests("ImportService/ListPlannedChanges")).toEqual([]);
  await user.click(screen.getByRole("button", { name: "Show the planned changes" }));
  const row = within(await screen.findByRole("list", { name: "Whose record changes" })).getByRole("listitem");
  expect(row).toHaveTextContent("Noah Kim");
  expect(row).toHaveTextContent(/grades 08 →becomes 09/);
  expect(row).toHaveTextContent("No school is told");
});

test("problems are grouped by their rule with the first row and the fix, and are saved as a file", async () => {
  const { user, host } = open(HELD);
  const table = await screen.findByRole("table", { name: "Problems in the file" });
  const first = within(table).getAllByRole("row")[1] as HTMLElement;
  expect(first).toHaveTextContent("Error");
  expect(first).toHaveTextContent("ref.org");
  expect(within(first).getAllByRole("cell")[1]).toHaveTextContent("9");
  expect(first).toHaveTextContent("add the org, or correct the reference");
  await user.click(screen.getByRole("button", { name: "Download errors.csv" }));
  expect(await screen.findByText("Saved, 1.0 kB")).toBeVisible();
  expect(host.made.find(({ method }) => method === "save_file")?.request).toEqual({
    method: "ImportService/ExportProblems",
    request: { run: HELD.id },
    suggestedName: "errors.csv",
  });
});

test("an applied run is undone within a day, after a question", async () => {
  const applied = newRun(51, { state: "IMPORT_STATE_APPLIED", applied: "82", finishedAt: new Date().toISOString() });
  const { user, requests } = open(applied);
  await user.click(await screen.findByRole("button", { name: "Undo this import" }));
  const dialog = await dialogOf("Undo this import?");
  expect(requests("ImportService/UndoImport")).toEqual([]);
  await user.click(dialog.getByRole("button", { name: "Undo the import" }));
  await waitFor(() => expect(requests("ImportService/UndoImport")).toEqual([{ run: applied.id }]));
});

test("a day later, or where nothing was applied, there is nothing to undo", () => {
  const finishedAt = "2026-11-24T10:00:00Z";
  const at = (hours: number) => new Date(finishedAt).getTime() + hours * 3_600_000;
  const applied = newRun(1, { state: "IMPORT_STATE_APPLIED", finishedAt });
  expect(undoUntil(applied, at(23))).toBe(at(24));
  expect(undoUntil(applied, at(24))).toBeNull();
  expect(undoUntil(newRun(1, { state: "IMPORT_STATE_CANCELLED", finishedAt, applied: "0" }), at(1))).toBeNull();
  expect(undoUntil(newRun(1, { state: "IMPORT_STATE_CANCELLED", finishedAt, applied: "3" }), at(1))).toBe(at(24));
});

test("rules come errors first, then by how often", () => {
  expect(byRule(seedProblems()).map(({ code, count }) => `${code} ${count}`)).toEqual([
    "ref.org 9",
    "row.width 3",
    "value.spaces 61",
    "value.email 44",
    "role.primary_several 18",
    "zip.extra_file 8",
  ]);
});

test("the pace is that of the last ten seconds, and none before it can be said", () => {
  expect(pace([{ at: 0, done: 10 }], 100)).toBeNull();
  expect(
    pace(
      [
        { at: 0, done: 0 },
        { at: 1_000, done: 50 },
      ],
      100,
    ),
  ).toEqual({ perSecond: 50, leftMs: 1_000 });
  const slower = [
    { at: 0, done: 0 },
    { at: 1_000, done: 900 },
    { at: 20_000, done: 900 },
    { at: 22_000, done: 920 },
  ];
  expect(pace(slower, 1_000)).toEqual({ perSecond: 10, leftMs: 8_000 });
});
