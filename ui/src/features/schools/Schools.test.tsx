import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { FakeHost, refusal } from "@/shell/fake/host";
import { DISTRICTS, SCHOOLS } from "@/shell/fake/seed";
import { OWNER, providerAnswers } from "@/shell/fake/world";
import { setPreferences } from "@/theme/preferences";
import { expectAccessible, openProvider } from "../../../tests/render";

const idOf = (name: string) => SCHOOLS.find((school) => school.name === name)?.id ?? "";
const sent = (host: FakeHost, method: string) =>
  host.made.filter((made) => made.method === method).map(({ request }) => request);
const cardOf = (name: string) => screen.findByRole("listitem", { name });
const names = () => screen.getAllByRole("listitem").map((card) => card.getAttribute("aria-label"));
const viewer = { ...OWNER, staff: { ...OWNER.staff, role: "ROLE_VIEWER" } };

test("cards say all that matters of a school, the worst first", async () => {
  openProvider("/schools");
  const down = await cardOf("Riverside Elementary");
  await waitFor(() => expect(down).toHaveTextContent(/% delivered/));
  expect(down).toHaveTextContent("Down");
  expect(down).toHaveTextContent("sis.org-103.example");
  expect(down).toHaveTextContent("Pending5 waiting, 212 parked");
  expect(down).toHaveTextContent("In syncUnknown");
  expect(down).toHaveTextContent("EnrollmentEnrolled on FRONT-OFFICE-3");
  expect(within(down).getByRole("img", { name: /^Last 24 hours: / })).toBeVisible();
  const order = names();
  expect(order.slice(0, 4)).toEqual([
    "Harbor Middle School",
    "Riverside Elementary",
    "Hillcrest Elementary",
    "Franklin High School",
  ]);
  expect(order.indexOf("Oak Middle School")).toBeLessThan(order.indexOf("Lincoln High School"));
  expect(order).toHaveLength(12);
  await expectAccessible();
});

test("schools without address or secret say so", async () => {
  openProvider("/schools");
  const card = await cardOf("Lighthouse Elementary");
  expect(card).toHaveTextContent("No address yet");
  expect(card).toHaveTextContent("Secretnone");
  expect(card).toHaveTextContent("EnrollmentNot enrolled");
  expect(card).toHaveTextContent("Last deliverednever");
  expect(within(card).queryByRole("button")).toBeNull();
  expect(await cardOf("Jefferson Magnet")).toHaveTextContent("Code out, not redeemed yet");
  expect(await cardOf("Bayview High School")).toHaveTextContent("EnrollmentOwn receiver");
});

test("a text, a state and a district narrow the list; none left can be cleared", async () => {
  const { user } = openProvider("/schools");
  await cardOf("Lincoln High School");
  const filter = screen.getByRole("textbox", { name: "Filter by name, id or host" });
  await user.type(filter, "org-103.ex");
  await waitFor(() => expect(names()).toEqual(["Riverside Elementary"]));
  expect(screen.getByText("1 school")).toBeVisible();
  await user.clear(filter);
  await user.click(screen.getByRole("combobox", { name: "District" }));
  await user.click(await screen.findByTitle(DISTRICTS[1]?.name ?? ""));
  await waitFor(() => expect(names()).toHaveLength(3));
  await user.click(screen.getByRole("combobox", { name: "State" }));
  await user.click(await screen.findByTitle("Problems"));
  await waitFor(() => expect(names()).toEqual(["Harbor Middle School"]));
  await user.type(filter, "nothing like it");
  expect(await screen.findByText("No schools match")).toBeVisible();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Clear filters" }));
  await waitFor(() => expect(names()).toHaveLength(12));
});

test("the same as a table, by the keyboard too, and kept for the next time", async () => {
  const { user } = openProvider("/schools");
  await cardOf("Lincoln High School");
  await user.click(screen.getByText("Table"));
  const grid = await screen.findByRole("grid", { name: "Schools" });
  await waitFor(() => expect(within(grid).getAllByRole("row")).toHaveLength(13));
  expect(within(grid).getAllByRole("row")[2]).toHaveTextContent("Riverside ElementaryDown");
  expect(localStorage.getItem("rollcall.preferences")).toContain('"schoolsAs":"table"');
  await expectAccessible();
  grid.focus();
  await user.keyboard("{ArrowDown}j{Enter}");
  await waitFor(() => expect(window.location.hash).toBe(`#/schools/${idOf("Riverside Elementary")}`));
  setPreferences({ schoolsAs: "cards" });
});

test("a pause says for how long and what will queue up; Undo resumes", async () => {
  const { host, user } = openProvider("/schools");
  const card = await cardOf("Lincoln High School");
  await user.click(within(card).getByRole("button", { name: "Pause Lincoln High School" }));
  const dialog = await screen.findByRole("dialog");
  expect(within(dialog).getByText("Pause Lincoln High School?")).toBeVisible();
  await waitFor(() => expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus());
  const words = () => dialog.textContent ?? "";
  await waitFor(() => expect(words()).toMatch(/About \d+ messages an hour .* roughly \d+ will wait/));
  const [, rate, count] = /About (\d+) messages .* roughly (\d+) will/.exec(words()) ?? [];
  expect(count).toBe(rate);
  await user.click(within(dialog).getByRole("radio", { name: "4 hours" }));
  const more = Number(/roughly (\d+) will/.exec(words())?.[1]);
  expect(more).toBeGreaterThanOrEqual(Number(rate) * 4 - 2);
  expect(more).toBeLessThanOrEqual(Number(rate) * 4 + 2);
  await expectAccessible();
  await user.click(within(dialog).getByRole("button", { name: "Pause" }));
  expect(await screen.findByText("Lincoln High School is paused for 4 hours")).toBeVisible();
  await waitFor(async () => expect(await cardOf("Lincoln High School")).toHaveTextContent("Paused"));
  expect(sent(host, "SchoolService/PauseSchool")).toEqual([{ school: idOf("Lincoln High School"), durationS: 14_400 }]);
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await waitFor(async () => expect(await cardOf("Lincoln High School")).toHaveTextContent("Active"));
  expect(sent(host, "SchoolService/ResumeSchool")).toEqual([{ school: idOf("Lincoln High School") }]);
});

test("resuming says how much goes out, and can be taken back", async () => {
  const { host, user } = openProvider("/schools");
  await user.click(await screen.findByRole("button", { name: "Resume Westfield Academy" }));
  expect(await screen.findByText(/Westfield Academy is resumed: 41 waiting messages go out in order/)).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await waitFor(() =>
    expect(sent(host, "SchoolService/PauseSchool")).toEqual([{ school: idOf("Westfield Academy"), durationS: 0 }]),
  );
});

test("a pause that is refused leaves the school as it is and says why", async () => {
  const { host, user } = openProvider("/schools");
  host.refuse.set(
    "SchoolService/PauseSchool",
    refusal("failed_precondition", "only an active connection can be paused"),
  );
  await user.click(await screen.findByRole("button", { name: "Pause Lincoln High School" }));
  await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Pause" }));
  expect(await screen.findByText("only an active connection can be paused")).toBeVisible();
  expect(screen.queryByText(/is paused/)).toBeNull();
});

test("who may only look is offered no act", async () => {
  openProvider("/schools", { session: viewer });
  await cardOf("Lincoln High School");
  expect(screen.queryByRole("button", { name: /^Pause|^Resume/ })).toBeNull();
  expect(screen.queryByRole("button", { name: "Register a school" })).toBeNull();
});

test("a console without schools leads to the first one", async () => {
  const none = { schools: [], nextPageToken: "" };
  const { user } = openProvider("/schools", { calls: { "SchoolService/ListSchools": () => none } });
  expect(await screen.findByText(/No schools yet/)).toBeVisible();
  await expectAccessible();
  const [, inside] = screen.getAllByRole("button", { name: "Register a school" });
  await user.click(inside as HTMLElement);
  await waitFor(() => expect(window.location.hash).toBe("#/register-school"));
});

test("every page of schools is read", async () => {
  const answers = providerAnswers().calls?.["SchoolService/ListSchools"]?.({}) as { schools: { name: string }[] };
  const { host } = openProvider("/schools", {
    calls: {
      "SchoolService/ListSchools": ({ pageToken }: { pageToken: string }) =>
        pageToken === "two"
          ? { schools: answers.schools.slice(6), nextPageToken: "" }
          : { schools: answers.schools.slice(0, 6), nextPageToken: "two" },
    },
  });
  await waitFor(async () => expect(await screen.findAllByRole("listitem")).toHaveLength(12));
  expect(
    sent(host, "SchoolService/ListSchools").map((request) => (request as { pageToken: string }).pageToken),
  ).toEqual(["", "two"]);
});

test("a list that cannot be read is told with Retry, and a slow one shows its shape", async () => {
  const host = new FakeHost(providerAnswers()).signedIn();
  host.refuse.set("SchoolService/ListSchools", refusal("internal", "the server had a fault"));
  const { user } = openProvider("/schools", {}, host);
  expect(await screen.findByRole("alert")).toHaveTextContent("the server had a fault");
  host.refuse.clear();
  host.answers.calls = { ...host.answers.calls, "SchoolService/ListSchools": () => new Promise(() => {}) };
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByRole("status", { name: "Loading" })).toBeVisible();
});
