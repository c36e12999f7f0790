import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { FakeHost, refusal } from "@/shell/fake/host";
import { DISTRICTS } from "@/shell/fake/seed";
import { OWNER, providerAnswers } from "@/shell/fake/world";
import { expectAccessible, openProvider } from "../../../tests/render";

const [FIRST, SECOND] = DISTRICTS;
const auditor = { ...OWNER, staff: { ...OWNER.staff, role: "ROLE_AUDITOR", districtIds: [SECOND?.id ?? ""] } };
const asked = (host: FakeHost) =>
  host.made
    .filter(({ method }) => method === "AuditService/ListAudit")
    .map(({ request }) => (request as { district: string }).district);

test("an owner reads the installation's chain first, then those of the districts", async () => {
  const { host, user } = openProvider("/audit");
  const grid = await screen.findByRole("grid", { name: "Audit log" });
  expect(await within(grid).findAllByText("Was refused for lack of a role")).not.toHaveLength(0);
  expect(within(grid).getAllByText("the server")).not.toHaveLength(0);
  await expectAccessible();
  await user.click(screen.getByRole("combobox", { name: "Chain" }));
  await user.click(await screen.findByTitle(FIRST?.name ?? ""));
  expect(await screen.findAllByText("Paused the school")).not.toHaveLength(0);
  expect(asked(host)).toEqual(["", FIRST?.id]);
});

test("an auditor starts with a district of theirs and is not offered the installation's chain", async () => {
  const district = { ...SECOND, createdAt: undefined };
  const { host, user } = openProvider("/audit", {
    session: auditor,
    calls: { "DistrictService/ListDistricts": () => ({ districts: [district] }) },
  });
  await screen.findByRole("grid", { name: "Audit log" });
  expect(asked(host)).toEqual([SECOND?.id]);
  await user.click(screen.getByRole("combobox", { name: "Chain" }));
  expect(screen.queryByTitle("Installation")).toBeNull();
});

test("an act that this console does not know stands as it came", async () => {
  const entry = {
    number: "1",
    at: "2026-11-23T16:05:12Z",
    actor: "school:sch_1",
    act: "moon.landed",
    subject: "",
    detail: "softly",
  };
  openProvider("/audit", { calls: { "AuditService/ListAudit": () => ({ entries: [entry], nextPageToken: "" }) } });
  expect(await screen.findByText("moon.landed")).toBeVisible();
  expect(screen.getByText("school sch_1")).toBeVisible();
});

test("loaded entries are filtered, and the filter is cleared", async () => {
  const { user } = openProvider("/audit");
  await screen.findByRole("grid", { name: "Audit log" });
  const filter = screen.getByRole("textbox", { name: "Filter the loaded entries" });
  await user.type(filter, "keys.rotated");
  await waitFor(() => expect(screen.queryByText("Signed in")).toBeNull());
  expect(screen.getAllByText("Rotated the storage keys")).not.toHaveLength(0);
  await user.clear(filter);
  await user.type(filter, "no such thing");
  expect(await screen.findByText("None of the loaded entries matches")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Clear filters" }));
  expect(await screen.findAllByText("Signed in")).not.toHaveLength(0);
});

test("whole chains are said to be whole, with the count and the time", async () => {
  const { user } = openProvider("/audit");
  await user.click(await screen.findByRole("button", { name: "Verify the chains" }));
  const dialog = await screen.findByRole("dialog");
  expect(await within(dialog).findByText(/^Intact: 304 entries/)).toBeVisible();
  expect(within(dialog).getByText(/^Verified \d{4}-\d\d-\d\d/)).toBeVisible();
  await expectAccessible();
});

test("a break is named with what to do", async () => {
  const broken = { intact: false, entries: "17", break: "installation: row 12 does not follow row 11" };
  const { user } = openProvider("/audit", { calls: { "AuditService/VerifyAudit": () => broken } });
  await user.click(await screen.findByRole("button", { name: "Verify the chains" }));
  expect(await screen.findByText("A chain is broken: installation: row 12 does not follow row 11")).toBeVisible();
  expect(screen.queryByText(/^Intact/)).toBeNull();
});

test("an empty chain says so", async () => {
  openProvider("/audit", { calls: { "AuditService/ListAudit": () => ({ entries: [], nextPageToken: "" }) } });
  expect(await screen.findByText("Nothing was written down in this chain yet.")).toBeVisible();
});

test("a chain that cannot be read, or verified, is told with Retry", async () => {
  const host = new FakeHost(providerAnswers()).signedIn();
  host.refuse.set("AuditService/ListAudit", refusal("internal", "the server had a fault"));
  host.refuse.set("AuditService/VerifyAudit", refusal("deadline_exceeded", "it took too long"));
  const { user } = openProvider("/audit", {}, host);
  expect(await screen.findByText("the server had a fault")).toBeVisible();
  host.refuse.delete("AuditService/ListAudit");
  await user.click(screen.getByRole("button", { name: "Retry" }));
  await screen.findByRole("grid", { name: "Audit log" });
  await user.click(screen.getByRole("button", { name: "Verify the chains" }));
  expect(await screen.findByText("it took too long")).toBeVisible();
});

test("a viewer is told which role it takes", async () => {
  const session = { ...OWNER, staff: { ...OWNER.staff, role: "ROLE_VIEWER" } };
  const { host } = openProvider("/audit", { session });
  expect(await screen.findByText(/takes the role auditor or owner/)).toBeVisible();
  expect(asked(host)).toEqual([]);
  await expectAccessible();
});
