import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { FakeHost, refusal } from "@/shell/fake/host";
import { DISTRICTS } from "@/shell/fake/seed";
import { OWNER, providerAnswers } from "@/shell/fake/world";
import { expectAccessible, openProvider } from "../../../tests/render";

const [FIRST, SECOND] = DISTRICTS;

const rowOf = async (name: string) =>
  (await screen.findByText(name, { selector: "td *" })).closest("tr") as HTMLTableRowElement;
const sent = (host: FakeHost, method: string) =>
  host.made.filter((made) => made.method === method).map(({ request }) => request);

async function openMenu(user: ReturnType<typeof openProvider>["user"], name: string, act: string) {
  await user.click(await screen.findByRole("button", { name: `Actions for ${name}` }));
  return screen.findByRole("menuitem", { name: act });
}

test("accounts stand with role, districts, state and last sign-in", async () => {
  openProvider("/staff");
  const row = await rowOf("carla");
  await waitFor(() => expect(row).toHaveTextContent(`${FIRST?.name}, ${SECOND?.name}`));
  expect(row).toHaveTextContent("viewer");
  expect(row).toHaveTextContent("May sign in");
  expect(await rowOf("eve.former")).toHaveTextContent("Disabled");
  expect(await rowOf("frank")).toHaveTextContent("never");
  expect(await rowOf("ada")).toHaveTextContent("ada (you)owner (the last owner)all");
  await expectAccessible();
});

test("an account is added; faults stand at their fields and nothing typed is lost", async () => {
  const { host, user } = openProvider("/staff");
  await user.click(await screen.findByRole("button", { name: "Add an account" }));
  const dialog = await screen.findByRole("dialog", { name: "Add an account" });
  await expectAccessible();
  const add = within(dialog).getByRole("button", { name: "Add an account" });
  await user.click(add);
  expect(await within(dialog).findByText("Enter a user name")).toBeVisible();
  expect(within(dialog).getByText("Choose at least one district")).toBeVisible();
  expect(sent(host, "StaffService/CreateStaff")).toEqual([]);

  await user.type(within(dialog).getByLabelText("User name"), "carla");
  await user.type(within(dialog).getByLabelText("Password"), "four words of mine");
  await user.click(within(dialog).getByRole("combobox", { name: "Districts" }));
  await user.click(await screen.findByTitle(SECOND?.name ?? ""));
  await user.click(add);
  expect(await within(dialog).findByText("is taken: use another")).toBeVisible();
  expect(within(dialog).getByLabelText("Password")).toHaveValue("four words of mine");

  await user.type(within(dialog).getByLabelText("User name"), ".b");
  await user.click(add);
  expect(await screen.findByText("carla.b was added")).toBeVisible();
  expect(await rowOf("carla.b")).toHaveTextContent("operator");
  expect(sent(host, "StaffService/CreateStaff").at(-1)).toEqual({
    username: "carla.b",
    password: "four words of mine",
    role: "ROLE_OPERATOR",
    districts: [SECOND?.id],
  });
});

test("an owner is made without districts", async () => {
  const { host, user } = openProvider("/staff");
  await user.click(await screen.findByRole("button", { name: "Add an account" }));
  const dialog = await screen.findByRole("dialog", { name: "Add an account" });
  await user.type(within(dialog).getByLabelText("User name"), "grace");
  await user.type(within(dialog).getByLabelText("Password"), "four words of mine");
  await user.click(within(dialog).getByRole("radio", { name: /^Owner/ }));
  expect(within(dialog).queryByRole("combobox", { name: "Districts" })).toBeNull();
  await user.click(within(dialog).getByRole("button", { name: "Add an account" }));
  await rowOf("grace");
  expect(sent(host, "StaffService/CreateStaff")).toEqual([
    { username: "grace", password: "four words of mine", role: "ROLE_OWNER", districts: [] },
  ]);
});

test("another role is given, and taken back by Undo", async () => {
  const { host, user } = openProvider("/staff");
  await user.click(await openMenu(user, "ben.okafor", "Change role"));
  const dialog = await screen.findByRole("dialog", { name: "Role of ben.okafor" });
  await expectAccessible();
  await user.click(within(dialog).getByRole("radio", { name: /^Viewer/ }));
  await user.click(within(dialog).getByRole("button", { name: "Save" }));
  expect(await screen.findByText("ben.okafor is viewer now")).toBeVisible();
  expect(await rowOf("ben.okafor")).toHaveTextContent("viewer");
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await waitFor(async () => expect(await rowOf("ben.okafor")).toHaveTextContent("operator"));
  expect(sent(host, "StaffService/UpdateStaff").map((request) => (request as { role: string }).role)).toEqual([
    "ROLE_VIEWER",
    "ROLE_OPERATOR",
  ]);
});

test("an account is disabled and enabled again by Undo", async () => {
  const { host, user } = openProvider("/staff");
  await user.click(await openMenu(user, "carla", "Disable"));
  expect(await screen.findByText("carla is disabled and signed out everywhere")).toBeVisible();
  expect(await rowOf("carla")).toHaveTextContent("Disabled");
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await waitFor(async () => expect(await rowOf("carla")).toHaveTextContent("May sign in"));
  expect(sent(host, "StaffService/UpdateStaff").map((request) => (request as { disabled: boolean }).disabled)).toEqual([
    true,
    false,
  ]);
});

test("the last owner keeps role and access", async () => {
  const { host, user } = openProvider("/staff");
  const disable = await openMenu(user, "ada", "Disable");
  expect(disable).toHaveAttribute("aria-disabled", "true");
  expect(screen.getByRole("menuitem", { name: "Change role" })).toHaveAttribute("aria-disabled", "true");
  await user.click(disable);
  expect(sent(host, "StaffService/UpdateStaff")).toEqual([]);
});

test("an owner who became the last one meanwhile is kept by the server, whose word is told", async () => {
  const { host, user } = openProvider("/staff");
  const last = refusal("failed_precondition", "this is the last owner: make another one first");
  host.refuse.set("StaffService/UpdateStaff", last);
  await user.click(await openMenu(user, "carla", "Disable"));
  expect(await screen.findByText("this is the last owner: make another one first")).toBeVisible();
  expect(await rowOf("carla")).toHaveTextContent("May sign in");
});

test("a password is set anew; a weak one is refused at its field", async () => {
  const { host, user } = openProvider("/staff");
  await user.click(await openMenu(user, "carla", "Set password"));
  const dialog = await screen.findByRole("dialog", { name: "New password for carla" });
  await user.type(within(dialog).getByLabelText("Password"), "short");
  await user.click(within(dialog).getByRole("button", { name: "Set the password" }));
  expect(await within(dialog).findByText("use at least 12 characters, for example four words")).toBeVisible();
  await expectAccessible();
  await user.type(within(dialog).getByLabelText("Password"), " but longer now");
  await user.click(within(dialog).getByRole("button", { name: "Set the password" }));
  expect(await screen.findByText("carla has a new password and was signed out everywhere")).toBeVisible();
  const [, last] = sent(host, "StaffService/UpdateStaff") as { password: string; role?: string }[];
  expect(last?.password).toBe("short but longer now");
  expect(last?.role).toBeUndefined();
});

test("sessions are ended, and how many is said", async () => {
  const { user } = openProvider("/staff", { calls: { "StaffService/RevokeSessions": () => ({ sessions: 2 }) } });
  await user.click(await openMenu(user, "carla", "End sessions"));
  expect(await screen.findByText("2 sessions of carla were ended")).toBeVisible();
});

test("a filter that lets nothing through can be cleared", async () => {
  const { user } = openProvider("/staff");
  await user.type(await screen.findByRole("textbox", { name: "Filter by user name" }), "nobody");
  expect(await screen.findByText("No account matches")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Clear filters" }));
  expect(await rowOf("carla")).toBeVisible();
});

test("who is no owner is told which role it takes, and nothing is asked for", async () => {
  const session = { ...OWNER, staff: { ...OWNER.staff, role: "ROLE_OPERATOR" } };
  const { host } = openProvider("/staff", { session });
  expect(await screen.findByText(/takes the role owner/)).toBeVisible();
  expect(sent(host, "StaffService/ListStaff")).toEqual([]);
  await expectAccessible();
});

test("a list that cannot be read is told with Retry", async () => {
  const host = new FakeHost(providerAnswers()).signedIn();
  host.refuse.set("StaffService/ListStaff", refusal("internal", "the server had a fault"));
  const { user } = openProvider("/staff", {}, host);
  expect(await screen.findByRole("alert")).toHaveTextContent("the server had a fault");
  host.refuse.clear();
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await rowOf("carla")).toBeVisible();
});
