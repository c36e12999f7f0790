import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { refusal } from "@/shell/fake/host";
import { newRun } from "@/shell/fake/importSeed";
import { dialogOf, expectAccessible, openProvider } from "../../../tests/render";

const FILE = { ticket: "t1", name: "roster.zip", sizeBytes: 2_400_000 };

test("a dropped zip goes to a district, stops at its plan unless told otherwise, and its run is shown", async () => {
  const run = newRun(40, { state: "IMPORT_STATE_DISCARDED" });
  const { user, host } = openProvider("/imports", {
    file: FILE,
    calls: { "ImportService/StartImport": () => run, "ImportService/GetImport": () => run },
  });
  expect(await screen.findByText("fairview-2026-11-25.zip")).toBeVisible();
  await expectAccessible();
  host.drop({ Ok: FILE });
  const dialog = await dialogOf("Import a roster");
  expect(dialog.getByText("roster.zip")).toBeVisible();
  expect(dialog.getByRole("checkbox", { name: /Stop at the plan/ })).toBeChecked();
  await user.click(dialog.getByRole("radio", { name: /^Strict/ }));
  await user.click(dialog.getByRole("button", { name: "Upload and check" }));
  await waitFor(() => expect(window.location.hash).toBe(`#/imports/${run.id}`));
  expect(host.made.find(({ method }) => method === "start_import")?.request).toMatchObject({
    ticket: "t1",
    profile: "strict",
    holdForReview: true,
    district: expect.stringMatching(/^dst_/),
  });
});

test("a refused upload says why and can be tried again; nothing was imported yet is said", async () => {
  const { user, host } = openProvider("/imports", {
    file: FILE,
    calls: { "ImportService/ListImports": () => ({ runs: [], nextPageToken: "" }) },
  });
  expect(await screen.findByText("Nothing was imported into this district yet.")).toBeVisible();
  host.refuse.set("start_import", refusal("failed_precondition", "another run of the district is at work"));
  await user.click(screen.getAllByRole("button", { name: "Choose a file" })[0] as HTMLElement);
  const dialog = await dialogOf("Import a roster");
  await user.click(dialog.getByRole("button", { name: "Upload and check" }));
  expect(await dialog.findByRole("alert")).toHaveTextContent("another run of the district is at work");
  expect(dialog.getByRole("button", { name: "Upload and check" })).toBeEnabled();
});

test("a file that cannot be taken, and a list that cannot be read, say why", async () => {
  const { host } = openProvider("/imports", {
    calls: {
      "ImportService/ListImports": () => {
        throw refusal("permission_denied", "It takes the role viewer or operator.");
      },
    },
  });
  expect(await screen.findByText(/It takes the role viewer or operator/)).toBeVisible();
  host.drop({ Err: refusal("file", "only a zip can be imported") });
  expect(await screen.findByText("only a zip can be imported")).toBeVisible();
});

test("a run that is at work is told live, and can be cancelled", async () => {
  let tell: (message: unknown) => void = () => {};
  const working = newRun(41, { rowsRead: "1000", rowsTotal: "4000" });
  const { user, host } = openProvider(`/imports/${working.id}`, {
    calls: {
      "ImportService/GetImport": () => working,
      "ImportService/CancelImport": () => ({ ...working, state: "IMPORT_STATE_CANCELLED" }),
    },
    streams: {
      "ImportService/WatchImport": (_, emit) => {
        tell = (message) => emit({ kind: "message", message });
        return () => {};
      },
    },
  });
  expect(await screen.findByText("1,000 of 4,000 rows")).toBeVisible();
  expect(screen.getByText(/Closing the app does not stop it/)).toBeVisible();
  await waitFor(() => expect(host.made.some(({ method }) => method === "ImportService/WatchImport")).toBe(true));
  tell({ ...working, phase: "checking", rowsRead: "3000" });
  expect(await screen.findByText("3,000 of 4,000 rows")).toBeVisible();
  expect(within(screen.getByRole("list", { name: "Phases" })).getByText("Check")).toHaveAttribute(
    "aria-current",
    "step",
  );
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Cancel the run" }));
  await waitFor(() =>
    expect(
      host.made.filter(({ method }) => method === "ImportService/CancelImport").map(({ request }) => request),
    ).toEqual([{ run: working.id }]),
  );
});
