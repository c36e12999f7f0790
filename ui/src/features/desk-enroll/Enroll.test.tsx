import { act, screen, waitFor, within } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { type Answers, refusal } from "@/shell/fake/host";
import { schoolAnswers } from "@/shell/fake/world";
import { expectAccessible, openSchool } from "../../../tests/render";

const CODE = "RC1-ABCDE-FGHJK-MNPQR-STVWX";
const FIELD = "Enrollment code or link";

afterEach(() => vi.restoreAllMocks());

/** A receiver without a secret, until the redeem. */
function fresh(): Answers {
  const answers = schoolAnswers();
  answers.onReset?.();
  return answers;
}

const methods = (host: { made: { method: string }[] }) =>
  host.made.map(({ method }) => method).filter((method) => !method.includes("/") && method !== "check_code");

async function continueWith(user: ReturnType<typeof openSchool>["user"], text = CODE) {
  await user.click(await screen.findByLabelText(FIELD));
  await user.paste(text);
  await screen.findByText(/The code is complete/);
  await user.click(screen.getByRole("button", { name: "Continue" }));
}

test("a desk that is not enrolled starts on Enroll, and one code leads to a stored secret", async () => {
  const { user, host } = openSchool("/", fresh());
  expect(await screen.findByRole("heading", { name: "Enroll" })).toBeVisible();
  await continueWith(user);
  expect(await screen.findByText("Is this your school?")).toBeVisible();
  for (const fact of ["Lindenhof Grundschule", "Kreis Nordheim", "ada", "rollcall.example:7443", "GNOME Keyring"]) {
    expect(screen.getByText(fact)).toBeVisible();
  }
  // The keychain was tried before the code was looked up, and nothing is redeemed without the person.
  expect(methods(host)).toEqual(["probe_keychain", "inspect_code"]);
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Enroll this school" }));
  expect(await screen.findByText("Secret stored in GNOME Keyring")).toBeVisible();
  expect(host.made).toContainEqual({ method: "redeem_code", request: { code: CODE, schoolSourcedId: "sch-7" } });
  expect(screen.getByTestId("fingerprint")).toHaveTextContent("amber-canyon-lotus-mirror-pepper-violet");
  expect(screen.getByText(/must be the same on the provider's console/)).toBeVisible();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Go to Status and run a check" }));
  expect(await screen.findByRole("button", { name: "Run check" })).toBeVisible();
});

test.each([
  ["MacIntel", "macOS Keychain"],
  ["Win32", "Windows Credential Manager"],
  ["Linux x86_64", "GNOME Keyring"],
])("on %s the secret is said to be in the %s", async (platform, place) => {
  vi.spyOn(navigator, "platform", "get").mockReturnValue(platform);
  const { user } = openSchool("/enroll", fresh());
  await continueWith(user);
  await user.click(await screen.findByRole("button", { name: "Enroll this school" }));
  expect(await screen.findByText(`Secret stored in ${place}`)).toBeVisible();
});

test("what is typed is checked at once, offline, and a wrong code is not sent", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  const field = await screen.findByLabelText(FIELD);
  await user.click(screen.getByRole("button", { name: "Continue" }));
  expect(await screen.findByText("Paste the code or the link first.")).toBeVisible();
  await user.type(field, "hello");
  expect(await screen.findByText(/this is not an enrollment code/)).toBeVisible();
  await user.clear(field);
  await user.type(field, "RC1-AB");
  expect(await screen.findByText(/cut short/)).toBeVisible();
  await user.type(field, "{Enter}");
  expect(await screen.findByRole("alert")).toHaveTextContent("cut short");
  expect(methods(host)).toEqual([]);
  await expectAccessible();
});

test("a pasted link counts as its code", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  await continueWith(user, `rollcall-school://enroll?code=${CODE}`);
  await screen.findByText("Is this your school?");
  expect(host.made).toContainEqual({ method: "inspect_code", request: { code: CODE } });
});

test("a deep link fills the field in, leaves the address, and does nothing by itself", async () => {
  const { host } = openSchool("/roster", fresh());
  await screen.findByRole("heading", { name: "Roster" });
  host.openPlace(`rollcall-school://enroll?code=${CODE}`);
  expect(await screen.findByLabelText(FIELD)).toHaveValue(CODE);
  await screen.findByText(/The code is complete/);
  await waitFor(() => expect(window.location.hash).not.toContain("RC1"));
  expect(methods(host)).toEqual([]);
});

const OTHER = "RC1-ZZZZZ-YYYYY-XXXXX-WWWWW";
const linkTo = (code: string) => `rollcall-school://enroll?code=${code}`;

/** Holds the answers of a command back until the test lets go. */
function hold(host: ReturnType<typeof openSchool>["host"], command: "inspectCode" | "redeemCode") {
  const held: (() => void)[] = [];
  const answer = host[command] as (...given: string[]) => Promise<never>;
  host[command] = (...given: string[]) => {
    const answered = answer(...given);
    return new Promise<never>((resolve, reject) => held.push(() => answered.then(resolve, reject)));
  };
  return () => act(async () => held.shift()?.());
}

test("a link that comes between the look and the press starts anew, and only what was shown is redeemed", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  await continueWith(user);
  await screen.findByText("Is this your school?");
  host.openPlace(linkTo(OTHER));
  expect(await screen.findByLabelText(FIELD)).toHaveValue(OTHER);
  expect(screen.queryByRole("button", { name: "Enroll this school" })).toBeNull();
  await screen.findByText(/The code is complete/);
  await user.click(screen.getByRole("button", { name: "Continue" }));
  await user.click(await screen.findByRole("button", { name: "Enroll this school" }));
  await screen.findByText("Secret stored in GNOME Keyring");
  expect(host.made).toContainEqual({ method: "redeem_code", request: { code: OTHER, schoolSourcedId: "sch-7" } });
});

test("a link that comes while a code is looked up makes that answer worth nothing", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  await screen.findByLabelText(FIELD);
  const letGo = hold(host, "inspectCode");
  await continueWith(user);
  await waitFor(() => expect(methods(host)).toEqual(["probe_keychain", "inspect_code"]));
  host.openPlace(linkTo(OTHER));
  await waitFor(() => expect(screen.getByLabelText(FIELD)).toHaveValue(OTHER));
  await letGo();
  expect(screen.queryByText("Is this your school?")).toBeNull();
  expect(screen.getByLabelText(FIELD)).toHaveValue(OTHER);
  await screen.findByText(/The code is complete/);
  await user.click(screen.getByRole("button", { name: "Continue" }));
  await waitFor(() => expect(host.made).toContainEqual({ method: "inspect_code", request: { code: OTHER } }));
  await letGo();
  await user.click(await screen.findByRole("button", { name: "Enroll this school" }));
  await screen.findByText("Secret stored in GNOME Keyring");
  const redeemed = host.made.filter(({ method }) => method === "redeem_code");
  expect(redeemed).toEqual([{ method: "redeem_code", request: { code: OTHER, schoolSourcedId: "sch-7" } }]);
});

test("an edit while a code is looked up makes that answer worth nothing", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  await screen.findByLabelText(FIELD);
  const letGo = hold(host, "inspectCode");
  await continueWith(user);
  await waitFor(() => expect(methods(host)).toContain("inspect_code"));
  await user.type(screen.getByLabelText(FIELD), "A");
  await letGo();
  expect(screen.queryByText("Is this your school?")).toBeNull();
  expect(screen.getByLabelText(FIELD)).toHaveValue(`${CODE}A`);
});

test("a link that comes while a code is redeemed does not hide what came of it", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  await screen.findByLabelText(FIELD);
  const letGo = hold(host, "redeemCode");
  await continueWith(user);
  await user.click(await screen.findByRole("button", { name: "Enroll this school" }));
  await waitFor(() => expect(methods(host)).toContain("redeem_code"));
  host.openPlace(linkTo(OTHER));
  await waitFor(() => expect(window.location.hash).not.toContain("RC1"));
  await letGo();
  expect(await screen.findByText("Secret stored in GNOME Keyring")).toBeVisible();
});

test("an enrolled desk says so, and takes another code only when asked", async () => {
  const { user } = openSchool("/enroll");
  expect(await screen.findByText("This desk is enrolled already")).toBeVisible();
  expect(screen.queryByLabelText(FIELD)).toBeNull();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Enroll again with a new code" }));
  expect(await screen.findByLabelText(FIELD)).toBeVisible();
  expect(screen.getByText(/A new code replaces its secret/)).toBeVisible();
});

test.each([
  ["keychain_locked", "keychain_locked", "The keychain is locked", "Unlock and try again"],
  ["keychain_absent", "keychain_absent", "This machine has no keychain", "Try again"],
  ["keychain_failed", "keychain_differs", "The keychain gave back something else than was written", "Try again"],
  ["keychain_failed", undefined, "The keychain failed", "Try again"],
] as const)("%s (%s) is a screen of its own, and the code is still good", async (code, reason, title, again) => {
  const { user, host } = openSchool("/enroll", fresh());
  host.refuse.set("probe_keychain", refusal(code, "the cause in its own words", { reason }));
  await continueWith(user);
  const alert = await screen.findByRole("alert");
  expect(within(alert).getByRole("heading", { name: title })).toBeVisible();
  expect(within(alert).getByText("the cause in its own words")).toBeVisible();
  // Nothing was asked of the provider.
  expect(methods(host)).toEqual(["probe_keychain"]);
  await expectAccessible();
  host.refuse.clear();
  await user.click(within(alert).getByRole("button", { name: again }));
  expect(await screen.findByText("Is this your school?")).toBeVisible();
});

test("an absent keychain names what to install and offers no plain file", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  host.refuse.set("probe_keychain", refusal("keychain_absent", "no keychain service", { reason: "keychain_absent" }));
  await continueWith(user);
  const alert = await screen.findByRole("alert");
  expect(alert).toHaveTextContent(/Install gnome-keyring/);
  expect(alert).toHaveTextContent(/never written to a plain file/);
  expect(
    within(alert)
      .getAllByRole("button")
      .map((button) => button.textContent),
  ).toEqual(["Try again", "Back to the code", "Copy details"]);
});

test.each([
  ["code_expired", "The code has expired"],
  ["code_used", "The code was used already"],
  ["code_locked", "The code is locked"],
  ["code_revoked", "The code was revoked"],
  ["code_compromised", "Two parties redeemed this code"],
  ["code_unknown", "The provider does not know this code"],
  ["code_refused", "The provider refused the code"],
  ["too_many_tries", "Too many tries"],
  ["other_school", "The code is for another school"],
  ["secret_gone", "The secret of this code is gone"],
] as const)("a code that is refused for %s has words and a next step of its own", async (reason, title) => {
  const { user, host } = openSchool("/enroll", fresh());
  host.refuse.set("inspect_code", refusal("code", `words for ${reason}`, { reason }));
  await continueWith(user);
  const alert = await screen.findByRole("alert");
  expect(within(alert).getByRole("heading", { name: title })).toBeVisible();
  expect(alert).toHaveTextContent(`words for ${reason}`);
  await expectAccessible();
  await user.click(within(alert).getByRole("button", { name: "Enter another code" }));
  expect(await screen.findByLabelText(FIELD)).toHaveValue("");
});

test("a used code tells when and by which host, as the provider said", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  await continueWith(user);
  const words = "the code was redeemed by somebody else (by FRONT-OFFICE-3 at 14:02)";
  host.refuse.set("redeem_code", refusal("code", words, { reason: "code_used" }));
  await user.click(await screen.findByRole("button", { name: "Enroll this school" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("FRONT-OFFICE-3 at 14:02");
});

test("a wrong server is a hard stop with both keys and no second try", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  const keys = { expected: "aa".repeat(32), shown: "bb".repeat(32) };
  host.refuse.set("inspect_code", refusal("server_key_changed", "another key", { reason: "wrong_server", keys }));
  await continueWith(user);
  const alert = await screen.findByRole("alert");
  expect(within(alert).getByText(keys.expected)).toBeVisible();
  expect(within(alert).getByText(keys.shown)).toBeVisible();
  expect(within(alert).queryByRole("button", { name: "Try again" })).toBeNull();
});

test("an unreachable provider may be tried again with the same code", async () => {
  const { user, host } = openSchool("/enroll", fresh());
  host.refuse.set("inspect_code", refusal("unavailable", "nobody answers", { reason: "unreachable" }));
  await continueWith(user);
  expect(await screen.findByText("The provider does not answer")).toBeVisible();
  host.refuse.clear();
  await user.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Is this your school?")).toBeVisible();
});

test("a code that was redeemed before warns before it is redeemed again", async () => {
  const answers = fresh();
  const { user } = openSchool("/enroll", {
    ...answers,
    code: { ...(answers.code as never as object), state: "confirmed" } as never,
  });
  await continueWith(user);
  expect(await screen.findByRole("alert")).toHaveTextContent(/redeemed before/);
});

test("the whole enrollment goes by keyboard alone", async () => {
  const { user } = openSchool("/enroll", fresh());
  expect(await screen.findByLabelText(FIELD)).toHaveFocus();
  await user.keyboard(CODE);
  await screen.findByText(/The code is complete/);
  await user.keyboard("{Enter}");
  await screen.findByText("Is this your school?");
  await waitFor(() => expect(document.activeElement).not.toBe(document.body));
  await user.tab();
  expect(screen.getByRole("button", { name: "Enroll this school" })).toHaveFocus();
  await user.keyboard("{Enter}");
  expect(await screen.findByText("Secret stored in GNOME Keyring")).toBeVisible();
});
