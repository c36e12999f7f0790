import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { refusal } from "@/shell/fake/host";
import { schoolAnswers } from "@/shell/fake/world";
import { expectAccessible, openSchool } from "../../../tests/render";

const NEW = "birch-falcon-harbor-meadow-silver-tundra";
const rotations = (host: { made: { method: string; request: unknown }[] }) =>
  host.made.filter(({ method }) => method === "rotate_secret").map(({ request }) => request);

/** The provider's connection with these secrets. */
function secrets(...list: object[]) {
  const given = schoolAnswers().calls?.["SchoolLinkService/GetConnection"]?.({}) as { connection: object };
  return {
    "SchoolLinkService/GetConnection": () => ({ ...given, connection: { ...given.connection, secrets: list } }),
  };
}

test("a routine renewal keeps the old secret, and its six words are compared", async () => {
  const { user, host } = openSchool("/rotate");
  expect(await screen.findByRole("radio", { name: /It is time for a new one/ })).toBeChecked();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Renew now" }));
  expect(await screen.findByText("The new secret is in place")).toBeVisible();
  expect(rotations(host)).toEqual([{ request: true, revokeNow: false }]);
  expect(screen.getAllByTestId("fingerprint")[0]).toHaveTextContent(NEW);
  expect(screen.getByText(/Stored in GNOME Keyring and confirmed/)).toBeVisible();
  // Both count on this side from now on.
  expect(await screen.findByText("Old, in its overlap")).toBeVisible();
  expect(screen.getByText(/The old one goes on verifying until/)).toBeVisible();
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "They are the same" }));
  expect(await screen.findByText("Done: both sides show the same secret.")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Back to the secrets" }));
  expect(await screen.findByRole("button", { name: "Renew now" })).toBeVisible();
});

test("words that differ are a stop", async () => {
  const { user } = openSchool("/rotate");
  await user.click(await screen.findByRole("button", { name: "Renew now" }));
  await user.click(await screen.findByRole("button", { name: "They differ" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("Stop here and call your provider");
  expect(screen.queryByRole("button", { name: "Renew now" })).toBeNull();
  await expectAccessible();
});

test("a leak asks for the school's name, with Cancel in focus, and stops the old secret at once", async () => {
  const { user, host } = openSchool("/rotate");
  await user.click(await screen.findByRole("radio", { name: /I think it leaked/ }));
  await user.click(screen.getByRole("button", { name: "Stop the old secret and renew…" }));
  const dialog = await screen.findByRole("dialog", { name: "Stop the secret now?" });
  await waitFor(() => expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus());
  const verb = within(dialog).getByRole("button", { name: "Stop and renew" });
  expect(verb).toBeDisabled();
  expect(rotations(host)).toEqual([]);
  await user.type(within(dialog).getByLabelText("Type Lindenhof Grundschule to confirm"), "Lindenhof Grundschule");
  await user.click(verb);
  expect(await screen.findByText("The new secret is in place")).toBeVisible();
  expect(screen.getByText(/The old one no longer counts/)).toBeVisible();
  expect(rotations(host)).toEqual([{ request: true, revokeNow: true }]);
});

test("a secret that waits at the provider is fetched without asking for another", async () => {
  const { user, host } = openSchool("/rotate", {
    calls: secrets(
      { id: "sec_2", fingerprint: "", state: "pending", createdAt: "2026-11-25T12:00:00Z" },
      {
        id: "sec_1",
        fingerprint: "amber-canyon-lotus-mirror-pepper-violet",
        state: "active",
        createdAt: "2026-10-01T12:00:00Z",
      },
    ),
  });
  expect(await screen.findByText("A new secret waits to be fetched.")).toBeVisible();
  expect(screen.getByRole("radio", { name: /The provider asked for it/ })).toBeChecked();
  // Nobody said yet which key verified last.
  expect(screen.getAllByText("Unknown")).toHaveLength(2);
  await user.click(screen.getByRole("button", { name: "Fetch the new secret" }));
  expect(await screen.findByText("The new secret is in place")).toBeVisible();
  expect(rotations(host)).toEqual([{ request: false, revokeNow: false }]);
});

test("none that waits is said, and nothing changes", async () => {
  const { user } = openSchool("/rotate", { rotated: null });
  await user.click(await screen.findByRole("radio", { name: /The provider asked for it/ }));
  await user.click(screen.getByRole("button", { name: "Fetch the new secret" }));
  expect(await screen.findByText("No new secret waits at the provider.")).toBeVisible();
});

test("a locked keychain leaves the secret before in force and says that the new one waits", async () => {
  const { user, host } = openSchool("/rotate");
  host.refuse.set("rotate_secret", refusal("keychain_locked", "the keychain is locked"));
  await user.click(await screen.findByRole("button", { name: "Renew now" }));
  const alert = await screen.findByRole("alert");
  expect(alert).toHaveTextContent("the keychain is locked");
  expect(alert).toHaveTextContent(/the one before stays in force\. Unlock GNOME Keyring/);
  await expectAccessible();
});

test("without the provider only this side is shown", async () => {
  openSchool("/rotate", {
    calls: {
      "SchoolLinkService/GetConnection": () => {
        throw refusal("internal", "no answer");
      },
    },
  });
  expect(await screen.findByText(/only this receiver's side is shown/)).toBeVisible();
  expect(screen.getByText("amber-canyon-lotus-mirror-pepper-violet")).toBeVisible();
});

test("a desk without a secret leads to Enroll; one whose status fails says why", async () => {
  const answers = schoolAnswers();
  answers.onReset?.();
  const { user, unmount } = openSchool("/rotate", answers);
  expect(await screen.findByText("There is no secret yet.")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Enroll this desk" }));
  expect(await screen.findByLabelText("Enrollment code or link")).toBeVisible();
  unmount();
  openSchool("/rotate", {
    calls: {
      "ReceiverService/GetStatus": () => {
        throw refusal("internal", "the receiver broke");
      },
    },
  });
  expect(await screen.findByText("the receiver broke")).toBeVisible();
});
