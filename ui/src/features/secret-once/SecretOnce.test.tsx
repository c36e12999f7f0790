import { screen, waitFor } from "@testing-library/react";
import { expect, onTestFinished, test, vi } from "vitest";
import { type Answers, FakeHost, refusal } from "@/shell/fake/host";
import { SCHOOLS } from "@/shell/fake/seed";
import { providerAnswers } from "@/shell/fake/world";
import { expectAccessible, openProvider } from "../../../tests/render";

const SECRET = "whsec_b25lIHRpbWUgYW5kIG5ldmVyIGFnYWlu";
const INFO = {
  id: "sec_1",
  fingerprint: "amber basin cedar delta ember falcon",
  state: "active",
  createdAt: "2026-11-23T16:05:12.000Z",
  expiresAt: undefined,
  lastVerifiedAt: undefined,
};
const ID = SCHOOLS[0]?.id ?? "";
const NAME = SCHOOLS[0]?.name ?? "";

/** As the window's capability file has it: no session, no other command than its calls and its end. */
function openWindow(
  act: string,
  calls: Answers["calls"] = {},
  refuse: Record<string, ReturnType<typeof refusal>> = {},
) {
  const answers = providerAnswers();
  const host = new FakeHost({
    ...answers,
    calls: {
      "SchoolService/GetSchool": answers.calls?.["SchoolService/GetSchool"] ?? (() => ({})),
      "SchoolService/ShowSecretOnce": () => ({ secret: SECRET, info: INFO }),
      "SchoolService/RotateSecret": () => ({ secret: SECRET, info: INFO }),
      ...calls,
    },
  });
  for (const command of ["session", "resume_session", "known_servers"]) {
    host.refuse.set(command, refusal("not_allowed", `${command} is not for this window`));
  }
  for (const [method, error] of Object.entries(refuse)) host.refuse.set(method, error);
  return openProvider(`/secret-once/${ID}/${act}`, {}, host);
}

const asked = (host: FakeHost) =>
  host.made.filter(({ method }) => /ShowSecretOnce|RotateSecret/.test(method)).map(({ request }) => request);

test("nothing is asked for before the press; then the secret is shown, copied, and gone with the window", async () => {
  const { host, user } = openWindow("show");
  expect(await screen.findByRole("heading", { name: `Signing secret of ${NAME}` })).toBeVisible();
  expect(asked(host)).toEqual([]);
  await waitFor(() => expect(screen.getByRole("button", { name: "Cancel" })).toHaveFocus());
  await expectAccessible();
  await user.dblClick(screen.getByRole("button", { name: "Show the secret" }));
  expect(await screen.findByText(SECRET)).toBeVisible();
  expect(screen.getByText(INFO.fingerprint)).toBeVisible();
  expect(asked(host)).toEqual([{ school: ID }]);
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Copy" }));
  expect(await screen.findByRole("button", { name: "Copied" })).toBeVisible();
  expect(await navigator.clipboard.readText()).toBe(SECRET);

  await user.click(screen.getByRole("button", { name: "Done" }));
  await waitFor(() => expect(host.made.at(-1)).toEqual({ method: "close_window", request: {} }));
  expect(document.body.innerHTML).not.toContain(SECRET);
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain(SECRET);
  expect(asked(host)).toHaveLength(1);
});

test("coming back to the window asks for nothing again", async () => {
  const { host, user } = openWindow("show");
  await user.click(await screen.findByRole("button", { name: "Show the secret" }));
  await screen.findByText(SECRET);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
  onTestFinished(() => void vi.useRealTimers());
  window.dispatchEvent(new Event("visibilitychange"));
  window.dispatchEvent(new Event("online"));
  await screen.findByText(SECRET);
  expect(asked(host)).toHaveLength(1);
});

test("the window works without a session, which it may not even ask for", async () => {
  const { host } = openWindow("show");
  expect(await screen.findByRole("button", { name: "Show the secret" })).toBeVisible();
  expect(host.made.map(({ method }) => method)).toEqual(["SchoolService/GetSchool"]);
});

test("a rotation asks how long the old key signs on", async () => {
  const { host, user } = openWindow("rotate");
  expect(await screen.findByRole("heading", { name: `New signing secret of ${NAME}` })).toBeVisible();
  await user.click(screen.getByRole("radio", { name: "3 days" }));
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Make and show the new secret" }));
  expect(await screen.findByText(SECRET)).toBeVisible();
  expect(asked(host)).toEqual([{ school: ID, overlapS: 259_200 }]);
});

test("a leaked secret stops only after the school's name was typed", async () => {
  const { host, user } = openWindow("rotate");
  await screen.findByRole("heading", { name: `New signing secret of ${NAME}` });
  await user.click(screen.getByRole("radio", { name: /it leaked/ }));
  const revoke = screen.getByRole("button", { name: "Revoke and show the new secret" });
  expect(revoke).toBeDisabled();
  await user.type(screen.getByRole("textbox", { name: `Type ${NAME} to confirm` }), NAME);
  await user.click(revoke);
  expect(await screen.findByText(SECRET)).toBeVisible();
  expect(asked(host)).toEqual([{ school: ID, revokeNow: true }]);
});

test("a refusal is told, and is not tried again from here", async () => {
  const words = "the secret was shown before and is never shown again: rotate it to get a new one";
  const { host, user } = openWindow(
    "show",
    {},
    { "SchoolService/ShowSecretOnce": refusal("failed_precondition", words) },
  );
  await user.click(await screen.findByRole("button", { name: "Show the secret" }));
  expect(await screen.findByRole("alert")).toHaveTextContent(`No secret was made${words}`);
  expect(screen.queryByRole("button", { name: "Show the secret" })).toBeNull();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Close" }));
  expect(host.made.at(-1)?.method).toBe("close_window");
});

test("without an answer nobody claims that no secret was made", async () => {
  const lost = refusal("unavailable", "the server cannot be reached");
  const { user } = openWindow("show", {}, { "SchoolService/ShowSecretOnce": lost });
  await user.click(await screen.findByRole("button", { name: "Show the secret" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("A secret may have been made without being seen");
});

test("a rotation for an installation shows that there is nothing to see", async () => {
  const { user } = openWindow("rotate", { "SchoolService/RotateSecret": () => ({ secret: "", info: INFO }) });
  await user.click(await screen.findByRole("button", { name: "Make and show the new secret" }));
  expect(await screen.findByText("The answer held no secret")).toBeVisible();
});

test("a wrong place does nothing", async () => {
  const { host } = openWindow("elsewhere");
  expect(await screen.findByText("This window was opened at a wrong place.")).toBeVisible();
  expect(asked(host)).toEqual([]);
});
