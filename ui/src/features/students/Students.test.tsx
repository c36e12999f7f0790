import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { refusal } from "@/shell/fake/host";
import { setPreferences } from "@/theme/preferences";
import { expectAccessible, openProvider } from "../../../tests/render";
import { calls, NOAH, ZOE } from "./testing";

const LIST = "StudentService/ListStudents";
const asked = (host: { made: { method: string; request: unknown }[] }) =>
  host.made.filter(({ method }) => method === LIST).map(({ request }) => request as Record<string, unknown>);

test("students are listed a page at a time, ordered and filtered by the server", async () => {
  const pages: Record<string, unknown> = {
    "": { students: [ZOE], nextPageToken: "2" },
    "2": { students: [NOAH], nextPageToken: "" },
  };
  const { user, host } = openProvider("/students", {
    calls: { [LIST]: ({ pageToken, search }) => (search ? { students: [], nextPageToken: "" } : pages[pageToken]) },
  });
  const grid = await screen.findByRole("grid", { name: "Students" });
  expect(await within(grid).findByText("Okafor")).toBeVisible();
  // The first page did not fill the window.
  expect(await within(grid).findByText("Kim")).toBeVisible();
  expect(within(grid).getByText("Lincoln High School, Oak Middle School")).toBeVisible();
  expect(screen.getByText("2 students")).toBeVisible();
  expect(asked(host)[0]).toMatchObject({ orderBy: "family_name", descending: false, status: "STUDENT_STATUS_ACTIVE" });
  await user.click(within(grid).getByRole("button", { name: /Family name/ }));
  await waitFor(() => expect(asked(host).at(-1)).toMatchObject({ orderBy: "family_name", descending: true }));
  await expectAccessible();

  const search = screen.getByRole("textbox", { name: "Search students" });
  await user.type(search, "qx");
  expect(await screen.findByText("No students match")).toBeVisible();
  expect(asked(host).at(-1)).toMatchObject({ search: "qx" });
  // Less than two characters are never asked.
  expect(asked(host).some((request) => request.search === "q")).toBe(false);
  await user.click(screen.getAllByRole("button", { name: "Clear filters" })[0] as HTMLElement);
  expect(await within(grid).findByText("Kim")).toBeVisible();
});

test("a district without students says how they come", async () => {
  openProvider("/students", { calls: { [LIST]: () => ({ students: [], nextPageToken: "" }) } });
  expect(await screen.findByText(/has no students yet/)).toBeVisible();
  expect(screen.getByRole("button", { name: "Import a roster" })).toBeVisible();
  await expectAccessible();
});

test("an error says why and is tried again; without the role it says so", async () => {
  let fails = true;
  const { user } = openProvider("/students", {
    calls: {
      ...calls,
      [LIST]: () => {
        if (fails) throw refusal("internal", "the database is away");
        return { students: [ZOE], nextPageToken: "" };
      },
    },
  });
  expect(await screen.findByText("the database is away")).toBeVisible();
  await expectAccessible();
  fails = false;
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByText("Okafor")).toBeVisible();
});

test("an account without the role is told which it takes", async () => {
  openProvider("/students", {
    calls: {
      [LIST]: () => {
        throw refusal("permission_denied", "It takes the role viewer or operator.");
      },
    },
  });
  expect(await screen.findByText(/It takes the role viewer or operator/)).toBeVisible();
});

test("a later failure keeps what was there, with its age", async () => {
  let fails = false;
  const { user } = openProvider("/students", {
    calls: {
      ...calls,
      "StudentService/DeleteStudent": ({ sourcedId }) => ({ student: { ...ZOE, sourcedId }, events: 1, sends: [] }),
      [LIST]: () => {
        if (fails) throw refusal("internal", "the database is away");
        return { students: [ZOE], nextPageToken: "" };
      },
    },
  });
  await user.click(await screen.findByText("Okafor"));
  fails = true;
  await user.click(await screen.findByRole("button", { name: "More acts" }));
  await user.click(await screen.findByText("Mark for deletion"));
  expect(await screen.findByText(/Showing data from/)).toBeVisible();
  expect(screen.getByText("Okafor")).toBeVisible();
});

test("hidden personal data shows nobody's name, in the list, the drawer and the history", async () => {
  setPreferences({ hidePersonal: true });
  try {
    const { user } = openProvider("/students", { calls });
    await user.click(await screen.findByText("S-1"));
    expect(await screen.findByText(/Personal data is hidden/)).toBeVisible();
    await user.click(screen.getByRole("tab", { name: "History" }));
    expect(await screen.findByText("Version 6")).toBeVisible();
    for (const name of ["Okafor", "Zoë", "Reed", "310001"]) expect(document.body).not.toHaveTextContent(name);
    await expectAccessible();
  } finally {
    setPreferences({ hidePersonal: false });
  }
});

test("previous and next lead through the list; what is not saved is asked about", async () => {
  const { user } = openProvider("/students", { calls });
  await user.click(await screen.findByText("Okafor"));
  const drawer = await screen.findByRole("dialog");
  expect(await within(drawer).findByText("Zoë Okafor")).toBeVisible();
  expect(within(drawer).getByRole("button", { name: "Previous student" })).toBeDisabled();
  await user.type(within(drawer).getByRole("textbox", { name: "Middle name" }), "Ann");
  await user.click(within(drawer).getByRole("button", { name: "Next student" }));
  expect((await screen.findAllByText("Discard your changes?"))[0]).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Keep editing" }));
  expect(within(drawer).getByRole("textbox", { name: "Middle name" })).toHaveValue("Ann");
  await user.click(within(drawer).getByRole("button", { name: "Undo changes" }));
  await user.click(within(drawer).getByRole("button", { name: "Next student" }));
  expect(await within(drawer).findByText("Noah Kim")).toBeVisible();
});
