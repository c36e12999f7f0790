import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { type Answers, FakeHost, refusal } from "@/shell/fake/host";
import { OWNER, providerAnswers } from "@/shell/fake/world";
import type { ServerCheck, Session } from "@/shell/host";
import { expectAccessible, openProvider } from "../../../tests/render";

const PIN = "0a".repeat(32);
const OTHER = "f0".repeat(32);
const CHECK: ServerCheck = {
  pin: PIN,
  version: "0.1.0",
  compatible: true,
  unclaimed: false,
  latencyMs: 12,
  keyKnown: true,
};

/** The console before anybody signed in. */
function openSignedOut(given: Answers = {}, refuse: Record<string, ReturnType<typeof refusal>> = {}) {
  const servers = given.servers ?? [{ address: "rollcall.example:7443", pin: PIN }];
  const host = new FakeHost({ ...providerAnswers(), check: CHECK, ...given, servers });
  for (const [method, error] of Object.entries(refuse)) host.refuse.set(method, error);
  return openProvider("/", {}, host);
}

async function signIn(user: ReturnType<typeof openSignedOut>["user"], password = "four words of mine") {
  await user.type(await screen.findByLabelText("User name"), "ada");
  await user.type(screen.getByLabelText("Password"), password);
  await user.click(screen.getByRole("button", { name: "Sign in" }));
}

test("a known server is checked at once; then its name and password open the console", async () => {
  const { host, user } = openSignedOut();
  const check = await screen.findByRole("status", { name: "Server check" });
  expect(await within(check).findByText("answered in 12 ms")).toBeVisible();
  expect(within(check).getByText("the key that you know from before")).toBeVisible();
  expect(within(check).getByText("0.1.0, fits this console")).toBeVisible();
  expect(screen.getByLabelText("Server address")).toHaveValue("rollcall.example:7443");
  await screen.findByLabelText("User name");
  await expectAccessible();
  await signIn(user);
  expect(await screen.findByRole("heading", { name: "Dashboard" })).toBeVisible();
  expect(host.made.filter(({ method }) => method === "sign_in").map(({ request }) => request)).toEqual([
    { server: { address: "rollcall.example:7443", pin: PIN }, username: "ada", password: "four words of mine" },
  ]);
});

test("a new server's key must be accepted before anybody can type a password", async () => {
  const { host, user } = openSignedOut({ servers: [], check: { ...CHECK, keyKnown: false } });
  await user.click(await screen.findByLabelText("Server address"));
  // At once: a rest between two keys would ask for a part of the address.
  await user.paste("new.example:7443");
  expect(await screen.findByText(/has not seen before/)).toBeVisible();
  expect(screen.getByText(PIN.match(/.{8}/g)?.join(" ") ?? "")).toBeVisible();
  expect(screen.queryByLabelText("Password")).toBeNull();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "The fingerprint is right, continue" }));
  expect(await screen.findByLabelText("Password")).toBeVisible();
  expect(host.made).toContainEqual({ method: "check_server", request: { address: "new.example:7443" } });
  expect(host.made.filter(({ method }) => method === "check_server")).toHaveLength(1);
});

test("a changed certificate stops everything until somebody asked, and shows both fingerprints apart", async () => {
  const changed = refusal("server_key_changed", "the key is another one", { keys: { expected: PIN, shown: OTHER } });
  const { host, user } = openSignedOut({}, { check_server: changed });
  expect(await screen.findByRole("alert")).toHaveTextContent("The server's certificate changed");
  const fact = (name: string) => screen.getByText(name).nextElementSibling?.textContent?.replaceAll(" ", "");
  expect(fact("Known fingerprint")).toContain(PIN);
  expect(fact("Fingerprint shown now")).toContain(OTHER);
  expect(screen.queryByLabelText("Password")).toBeNull();
  const trust = screen.getByRole("button", { name: "Trust the new key" });
  expect(trust).toBeDisabled();
  await expectAccessible();
  await user.click(screen.getByRole("checkbox"));
  await user.click(trust);
  await signIn(user);
  await waitFor(() => expect(host.made.some(({ method }) => method === "sign_in")).toBe(true));
  const request = host.made.find(({ method }) => method === "sign_in")?.request as { server: { pin: string } };
  expect(request.server.pin).toBe(OTHER);
});

test.each([
  ["0.0.9", "0.0.9 is too old for this console (0.1.0): update the server"],
  ["0.2.0", "0.2.0 is too new for this console (0.1.0): update the console"],
  ["1.0.0", "1.0.0 is too new for this console (0.1.0): update the console"],
])("a server of version %s does not fit, and which of the two to update is said", async (version, words) => {
  openSignedOut({ check: { ...CHECK, version, compatible: false } });
  expect(await screen.findByText(words)).toBeVisible();
  expect(screen.queryByLabelText("Password")).toBeNull();
});

test("a server that does not answer can be tried again", async () => {
  const { host, user } = openSignedOut({}, { check_server: refusal("unavailable", "no answer from the server") });
  expect(await screen.findByText("Not reachable")).toBeVisible();
  expect(screen.getByText("no answer from the server")).toBeVisible();
  await expectAccessible();
  host.refuse.delete("check_server");
  await user.click(screen.getByRole("button", { name: "Check again" }));
  expect(await screen.findByText("answered in 12 ms")).toBeVisible();
});

test("half an address is not asked for", async () => {
  const { host, user } = openSignedOut({ servers: [] });
  await user.type(await screen.findByLabelText("Server address"), "rollcall.example");
  await user.type(screen.getByLabelText("Server address"), ":7443");
  expect(await screen.findByText("answered in 12 ms")).toBeVisible();
  const asked = host.made.filter(({ method }) => method === "check_server").map(({ request }) => request);
  expect(asked).toEqual([{ address: "rollcall.example:7443" }]);
});

test("a wrong password is told from a lock, and from a server that went away", async () => {
  const { host, user } = openSignedOut({}, { sign_in: refusal("unauthenticated", "wrong") });
  await signIn(user);
  expect(await screen.findByRole("alert")).toHaveTextContent("The user name or the password is wrong");
  expect(screen.getByLabelText("User name")).toHaveValue("ada");
  expect(screen.getByLabelText("Password")).toHaveValue("");
  expect(screen.getByLabelText("Password")).toHaveFocus();
  expect(screen.queryByText(/session has ended/)).toBeNull();
  await expectAccessible();

  host.refuse.set("sign_in", refusal("resource_exhausted", "too many failed attempts: try again in 372 s"));
  await user.type(screen.getByLabelText("Password"), "another{Enter}");
  expect(await screen.findByText("Sign-in is locked for now")).toBeVisible();
  expect(screen.getByText("too many failed attempts: try again in 372 s")).toBeVisible();

  host.refuse.set("sign_in", refusal("unavailable", "the server cannot be reached"));
  await user.click(screen.getByRole("button", { name: "Sign in" }));
  expect(await screen.findByText("The server cannot be reached")).toBeVisible();
});

test("a key that changes between the check and the password is a changed certificate", async () => {
  const changed = refusal("server_key_changed", "another key", { keys: { expected: PIN, shown: OTHER } });
  const { host, user } = openSignedOut({}, { sign_in: changed });
  await screen.findByLabelText("User name");
  host.refuse.set("check_server", changed);
  await signIn(user);
  expect(await screen.findByText("The server's certificate changed")).toBeVisible();
  expect(screen.queryByLabelText("Password")).toBeNull();
});

test("the first owner is claimed with the code that the server printed; faults stand at their fields", async () => {
  const weak = refusal("invalid_argument", "password: too short", {
    violations: [{ field: "password", message: "use at least 12 characters" }],
  });
  const { host, user } = openSignedOut({ check: { ...CHECK, unclaimed: true } }, { sign_in: weak });
  const code = await screen.findByLabelText("Owner code");
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Become the owner" }));
  expect(await screen.findByText("Enter the code")).toBeVisible();
  await user.type(code, " 1234-5678 ");
  await user.type(screen.getByLabelText("Your user name"), "ada");
  await user.type(screen.getByLabelText("New password"), "short");
  await user.click(screen.getByRole("button", { name: "Become the owner" }));
  expect(await screen.findByText("use at least 12 characters")).toBeVisible();

  host.refuse.set("sign_in", refusal("permission_denied", "the owner code is wrong or was used"));
  await user.click(screen.getByRole("button", { name: "Become the owner" }));
  expect(await screen.findByText("The owner code is wrong or was used already")).toBeVisible();

  host.refuse.delete("sign_in");
  await user.click(screen.getByRole("button", { name: "Become the owner" }));
  expect(await screen.findByRole("heading", { name: "Dashboard" })).toBeVisible();
  expect(host.made.findLast(({ method }) => method === "sign_in")?.request).toEqual({
    server: { address: "rollcall.example:7443", pin: PIN },
    username: "ada",
    password: "short",
    ownerCode: "1234-5678",
  });
});

test("a session that ends in the middle of the work says so, and signing in goes on where one was", async () => {
  const ended = refusal("unauthenticated", "sign in again: the session has ended");
  const { host, user } = openProvider("/schools", { check: CHECK });
  await screen.findByRole("heading", { name: "Schools" });
  host.refuse.set("StaffService/ListStaff", ended);
  await user.click(screen.getByRole("link", { name: "Staff and roles" }));
  expect(await screen.findByText(/Your session has ended/)).toBeVisible();
  await expectAccessible();
  host.refuse.clear();
  await signIn(user);
  expect(await screen.findByRole("heading", { name: "Staff and roles" })).toBeVisible();
});

test("signing out leads back to the sign-in, where the next account starts with nothing of the last one", async () => {
  const { host, user } = openProvider("/schools", { check: CHECK });
  await screen.findByRole("heading", { name: "Schools" });
  await user.click(screen.getByRole("button", { name: "ada" }));
  await user.click(await screen.findByText("Sign out"));
  expect(await screen.findByLabelText("Password")).toBeVisible();
  expect(host.made.some(({ method }) => method === "sign_out")).toBe(true);
  const before = host.made.length;
  await signIn(user);
  await screen.findByRole("heading", { name: "Dashboard" });
  await waitFor(() =>
    expect(host.made.slice(before).some(({ method }) => method === "LogService/GetOverview")).toBe(true),
  );
});

test("a last session that cannot be taken up says why, and can be tried again", async () => {
  const { host, user } = openProvider(
    "/",
    {},
    (() => {
      const host = new FakeHost(providerAnswers()).signedIn();
      host.refuse.set("resume_session", refusal("keychain_locked", "the keychain is locked: unlock it"));
      return host;
    })(),
  );
  expect(await screen.findByText("the keychain is locked: unlock it")).toBeVisible();
  host.refuse.delete("resume_session");
  await user.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("heading", { name: "Dashboard" })).toBeVisible();
});

test("a session that the keychain did not take is said to end with the program", async () => {
  const session: Session = {
    ...OWNER,
    kept: { kept: "no", error: refusal("keychain_absent", "there is no keychain") },
  };
  const { user } = openSignedOut({ session });
  await signIn(user);
  expect(await screen.findByText("You stay signed in only until you close the console")).toBeVisible();
  expect(screen.getByText("there is no keychain")).toBeVisible();
});
