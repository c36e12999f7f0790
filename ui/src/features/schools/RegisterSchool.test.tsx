import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { School } from "@/gen/rollcall/provider/v1/school";
import type { Answers, FakeHost } from "@/shell/fake/host";
import { refusal } from "@/shell/fake/host";
import { DISTRICTS } from "@/shell/fake/seed";
import { OWNER, providerAnswers } from "@/shell/fake/world";
import { expectAccessible, openProvider } from "../../../tests/render";

const sent = (host: FakeHost, method: string) =>
  host.made.filter((made) => made.method === method).map(({ request }) => request);
type User = ReturnType<typeof openProvider>["user"];

async function fillDetails(user: User, receiver = "With School Desk") {
  await user.click(await screen.findByRole("combobox", { name: "District" }));
  await user.click(await screen.findByTitle(DISTRICTS[0]?.name ?? ""));
  await user.type(screen.getByLabelText("School name"), "New Hope School");
  await user.type(screen.getByLabelText("sourcedId"), "org-900");
  await user.click(screen.getByRole("radio", { name: new RegExp(`^${receiver}`) }));
  await user.click(screen.getByRole("button", { name: "Create the school" }));
}

/** A world whose codes are redeemed when the test says so. */
function watched() {
  const base = providerAnswers().calls ?? {};
  let change: (school: School) => void = () => {};
  const calls: Answers["calls"] = {
    ...base,
    "SchoolService/GetSchool": (request) => {
      const school = structuredClone(base["SchoolService/GetSchool"]?.(request)) as School;
      change(school);
      return school;
    },
  };
  return { calls, turn: (to: (school: School) => void) => (change = to) };
}

test("from details over the address test to a code, which is followed until it is redeemed", async () => {
  const { calls, turn } = watched();
  const { host, user } = openProvider("/register-school", { calls });
  await fillDetails(user);
  expect(await screen.findByText("New Hope School was created")).toBeVisible();
  expect(sent(host, "SchoolService/CreateSchool")).toEqual([
    { district: DISTRICTS[0]?.id, name: "New Hope School", sourcedId: "org-900" },
  ]);

  const url = "https://roster.newhope.example/webhook";
  await user.type(screen.getByLabelText("Webhook address"), url);
  await user.click(screen.getByRole("button", { name: "Test the address" }));
  const result = await screen.findByRole("region", { name: "Address test" });
  expect(within(result).getByText("The address answers")).toBeVisible();
  expect(
    within(result)
      .getAllByRole("listitem")
      .map((step) => step.textContent),
  ).toEqual([
    "Allowedthe address may be used",
    "Name (DNS)198.51.100.24",
    "Connectionport 443 takes connections",
    "Certificate (TLS)the certificate is valid for this name",
    "Answerit answers HTTP (503)",
  ]);
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Save the address" }));

  const panel = await screen.findByRole("region", { name: "Enrollment code" });
  expect(sent(host, "SchoolService/ConnectSchool")).toEqual([
    { school: expect.stringMatching(/^sch_/), url, ownReceiver: false },
  ]);
  expect(sent(host, "SchoolService/IssueCode")).toEqual([]);
  await user.click(within(panel).getByRole("button", { name: "Create a code" }));
  const code = await within(panel).findByTestId("enrollment-code");
  expect(code).toHaveTextContent(/^RC1-/);
  expect(within(panel).getByText(/^rollcall-school:\/\/enroll\?code=RC1-/)).toBeVisible();
  expect(within(panel).getByRole("img", { name: "QR code of the link" }).querySelector("svg")).not.toBeNull();
  expect(within(panel).getByText("Waiting for the school…")).toBeVisible();
  await expectAccessible();
  await user.click(within(panel).getAllByRole("button", { name: "Copy" })[0] as HTMLElement);
  expect(await navigator.clipboard.readText()).toBe(code.textContent);

  turn((school) => {
    if (!school.connection?.code) return;
    Object.assign(school.connection.code, {
      state: "claimed",
      redeemedByHost: "FRONT-OFFICE-3",
      redeemedAt: "2026-11-23T14:02:00Z",
    });
  });
  expect(
    await within(panel).findByText(/^FRONT-OFFICE-3 redeemed the code .* waiting for its confirmation/),
  ).toBeVisible();
  turn((school) => {
    if (!school.connection?.code) return;
    Object.assign(school.connection.code, {
      state: "confirmed",
      redeemedByHost: "FRONT-OFFICE-3",
      redeemedAt: "2026-11-23T14:02:00Z",
    });
    school.connection.state = "CONNECTION_STATE_ACTIVE";
    school.connection.secrets = [
      {
        id: "sec_1",
        fingerprint: "amber basin cedar delta ember falcon",
        state: "active",
        createdAt: "2026-11-23T14:02:00Z",
        expiresAt: undefined,
        lastVerifiedAt: undefined,
      },
    ];
  });
  expect(await within(panel).findByText(/^Redeemed on FRONT-OFFICE-3 at 2026-11-23 \d\d:02$/)).toBeVisible();
  expect(within(panel).getByText("amber basin cedar delta ember falcon")).toBeVisible();
  await waitFor(() => expect(screen.queryByTestId("enrollment-code")).toBeNull());
  expect(document.body.innerHTML).not.toContain("whsec_");
  expect(host.made.some(({ method }) => /Secret/.test(method))).toBe(false);
});

test("a code is revoked and leaves the screen", async () => {
  const { host, user } = openProvider("/register-school");
  await fillDetails(user);
  await user.click(await screen.findByRole("button", { name: "Set the address later" }));
  await user.click(await screen.findByRole("combobox", { name: "Valid for" }));
  await user.click(await screen.findByTitle("1 hour"));
  await user.click(screen.getByRole("button", { name: "Create a code" }));
  await screen.findByTestId("enrollment-code");
  expect(sent(host, "SchoolService/IssueCode")).toMatchObject([{ ttlS: 3_600 }]);
  await user.click(screen.getByRole("button", { name: "Revoke" }));
  expect(await screen.findByText("The last code was revoked.")).toBeVisible();
  expect(screen.queryByTestId("enrollment-code")).toBeNull();
  expect(screen.getByRole("button", { name: "Create a new code" })).toBeVisible();
});

test("a school with its own receiver is led to the secret's window; the secret never comes here", async () => {
  const { calls, turn } = watched();
  const { host, user } = openProvider("/register-school", { calls });
  await fillDetails(user, "With a receiver of its own");
  expect(screen.queryByRole("button", { name: "Set the address later" })).toBeNull();
  await user.type(await screen.findByLabelText("Webhook address"), "https://own.example/hook");
  await user.click(screen.getByRole("button", { name: "Save the address" }));
  await user.click(await screen.findByRole("button", { name: "Show the secret once" }));
  const school = (sent(host, "SchoolService/ConnectSchool")[0] as { school: string }).school;
  expect(sent(host, "SchoolService/ConnectSchool")).toMatchObject([{ ownReceiver: true }]);
  expect(sent(host, "open_secret_window")).toEqual([{ school, rotate: false }]);
  expect(host.made.some(({ method }) => /ShowSecretOnce|IssueCode/.test(method))).toBe(false);
  await expectAccessible();
  turn((shown) => {
    if (!shown.connection) return;
    shown.connection.secrets = [
      {
        id: "sec_1",
        fingerprint: "amber basin cedar delta ember falcon",
        state: "active",
        createdAt: "2026-11-23T14:02:00Z",
        expiresAt: undefined,
        lastVerifiedAt: undefined,
      },
    ];
  });
  expect(await screen.findByText(/^The secret was shown at 2026-11-23 \d\d:02 and is in force/)).toBeVisible();
  expect(screen.queryByRole("button", { name: "Show the secret once" })).toBeNull();
});

test("what is missing or wrong stands at its field", async () => {
  const { host, user } = openProvider("/register-school");
  await user.click(await screen.findByRole("button", { name: "Create the school" }));
  expect(await screen.findByText("Choose the district")).toBeVisible();
  expect(screen.getByText("Enter the school's name")).toBeVisible();
  expect(screen.getByText("Enter the school's sourcedId")).toBeVisible();
  expect(sent(host, "SchoolService/CreateSchool")).toEqual([]);
  const wrong = { field: "sourcedId", message: "use 1 to 255 of letters, digits and . - _ / @" };
  host.refuse.set("SchoolService/CreateSchool", refusal("invalid_argument", "wrong", { violations: [wrong] }));
  await fillDetails(user);
  expect(await screen.findByText(wrong.message)).toBeVisible();
  await expectAccessible();
});

test("a school that is there already is offered to be opened", async () => {
  const { user } = openProvider("/register-school");
  await user.click(await screen.findByRole("combobox", { name: "District" }));
  await user.click(await screen.findByTitle(DISTRICTS[0]?.name ?? ""));
  await user.type(screen.getByLabelText("School name"), "Lincoln again");
  await user.type(screen.getByLabelText("sourcedId"), "org-101");
  await user.click(screen.getByRole("button", { name: "Create the school" }));
  await user.click(await screen.findByRole("link", { name: "Open the school that is there" }));
  expect(await screen.findByRole("heading", { name: "Lincoln High School" })).toBeVisible();
});

test("an address that does not work is explained step by step, refused ones at the field", async () => {
  const { host, user } = openProvider("/register-school");
  await fillDetails(user);
  const field = await screen.findByLabelText("Webhook address");
  await user.type(field, "https://expired.example/hook");
  await user.click(screen.getByRole("button", { name: "Test the address" }));
  const result = await screen.findByRole("region", { name: "Address test" });
  expect(within(result).getByText("The address does not work yet")).toBeVisible();
  const steps = within(result).getAllByRole("listitem");
  expect(steps[3]).toHaveTextContent("the certificate expired on 2026-10-31: the school has to renew it");
  expect(steps[4]).toHaveTextContent("not reached");
  // The result is of that address only.
  await user.type(field, "s");
  await waitFor(() => expect(screen.queryByRole("region", { name: "Address test" })).toBeNull());
  const wrong = { field: "url", message: "must not lead to a private address" };
  host.refuse.set("SchoolService/ConnectSchool", refusal("invalid_argument", "wrong", { violations: [wrong] }));
  await user.click(screen.getByRole("button", { name: "Save the address" }));
  expect(await screen.findByText(wrong.message)).toBeVisible();
});

test("who may not register is told which role it takes", async () => {
  openProvider("/register-school", { session: { ...OWNER, staff: { ...OWNER.staff, role: "ROLE_VIEWER" } } });
  expect(await screen.findByText(/Only an operator of the district or an owner/)).toBeVisible();
  expect(screen.queryByRole("button", { name: "Create the school" })).toBeNull();
});

test("without a district the owner creates it first; what the server refuses stands at its field", async () => {
  let created = false;
  let refused = true;
  const { host, user } = openProvider("/register-school", {
    calls: {
      "DistrictService/ListDistricts": () => ({ districts: created ? DISTRICTS.slice(0, 1) : [], nextPageToken: "" }),
      "DistrictService/CreateDistrict": () => {
        if (refused) {
          const violations = [{ field: "sourcedId", message: "d-1 is another district's" }];
          throw refusal("already_exists", "the sourcedId is taken", { violations });
        }
        created = true;
        return DISTRICTS[0];
      },
    },
  });
  expect(await screen.findByText("Schools belong to a district, and there is none yet.")).toBeVisible();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Create the district" }));
  expect(await screen.findByText("Enter the district's name")).toBeVisible();
  expect(screen.getByText("Enter the district's sourcedId")).toBeVisible();
  expect(sent(host, "DistrictService/CreateDistrict")).toEqual([]);

  await user.type(screen.getByLabelText("District name"), " North ");
  await user.type(screen.getByLabelText("District sourcedId"), "d-1");
  await user.click(screen.getByRole("button", { name: "Create the district" }));
  expect(await screen.findByText("d-1 is another district's")).toBeVisible();
  expect(sent(host, "DistrictService/CreateDistrict")).toEqual([{ name: "North", sourcedId: "d-1" }]);

  refused = false;
  await user.click(screen.getByRole("button", { name: "Create the district" }));
  expect(await screen.findByLabelText("School name")).toBeVisible();
});

test("without a district anybody else is told whom to ask", async () => {
  openProvider("/register-school", {
    session: { ...OWNER, staff: { ...OWNER.staff, role: "ROLE_OPERATOR" } },
    calls: { "DistrictService/ListDistricts": () => ({ districts: [], nextPageToken: "" }) },
  });
  expect(await screen.findByText("There is no district yet. Ask an owner to create it.")).toBeVisible();
  expect(screen.queryByLabelText("District name")).toBeNull();
});
