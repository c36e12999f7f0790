import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { refusal } from "@/shell/fake/host";
import { setPreferences } from "@/theme/preferences";
import { expectAccessible, openSchool } from "../../../tests/render";

test("the looks change at once", async () => {
  const { user } = openSchool("/settings");
  const looks = await screen.findByRole("region", { name: "Looks" });
  await user.click(within(looks).getByText("Dark"));
  await waitFor(() => expect(document.documentElement.dataset.mode).toBe("dark"));
  await expectAccessible();
  await user.click(within(looks).getByText("UTC", { selector: ".ant-segmented-item-label" }));
  expect(await screen.findByRole("button", { name: /^Time zone: UTC/ })).toBeVisible();
  await user.click(within(looks).getByText("36 px"));
  expect(JSON.parse(localStorage.getItem("rollcall.preferences") ?? "{}")).toMatchObject({
    theme: "dark",
    zone: "utc",
    density: 36,
  });
  setPreferences({ theme: "system", zone: "local", density: 28 });
  await waitFor(() => expect(document.documentElement.dataset.mode).toBe("light"));
  await expectAccessible();
});

test("autostart shows what the system says", async () => {
  const { user, host } = openSchool("/settings");
  const autostart = await screen.findByRole("switch", { name: "Start School Desk when I sign in" });
  await waitFor(() => expect(autostart).toBeEnabled());
  expect(autostart).not.toBeChecked();
  await user.click(autostart);
  await waitFor(() => expect(autostart).toBeChecked());
  expect(host.made).toContainEqual({ method: "set_autostart", request: { on: true } });
});

test("an autostart that the system refuses stays off and says why", async () => {
  const { user, host } = openSchool("/settings");
  const autostart = await screen.findByRole("switch", { name: "Start School Desk when I sign in" });
  await waitFor(() => expect(autostart).toBeEnabled());
  host.refuse.set("set_autostart", refusal("setup", "the session's start cannot be changed"));
  await user.click(autostart);
  expect(await screen.findByRole("alert")).toHaveTextContent("the session's start cannot be changed");
  expect(autostart).not.toBeChecked();
});

test("diagnostics go to a file, and the versions are told", async () => {
  const { user, host } = openSchool("/settings");
  expect(await screen.findByText("0.1.0, inside this program")).toBeVisible();
  expect(screen.getByText("http://127.0.0.1:8080/webhook")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Save diagnostics…" }));
  expect(await screen.findByText("2,048 bytes written")).toBeVisible();
  expect(host.made).toContainEqual({ method: "save_diagnostics", request: {} });
});

test("a reset that fails changes nothing and says why", async () => {
  const { user, host } = openSchool("/settings");
  host.refuse.set("reset_enrollment", refusal("keychain_locked", "the keychain is locked"));
  const reset = await screen.findByRole("button", { name: "Reset the enrollment…" });
  await waitFor(() => expect(reset).toBeEnabled());
  await user.click(reset);
  const dialog = await screen.findByRole("dialog");
  await user.type(within(dialog).getByLabelText("Type Lindenhof Grundschule to confirm"), "Lindenhof Grundschule");
  await user.click(within(dialog).getByRole("button", { name: "Reset" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("the keychain is locked");
  expect(screen.getByRole("heading", { name: "Settings" })).toBeVisible();
});

test("a reset asks for the school's name and leads to Enroll", async () => {
  const { user, host } = openSchool("/settings");
  const reset = await screen.findByRole("button", { name: "Reset the enrollment…" });
  await waitFor(() => expect(reset).toBeEnabled());
  await user.click(reset);
  const dialog = await screen.findByRole("dialog", { name: "Reset the enrollment of Lindenhof Grundschule?" });
  const verb = within(dialog).getByRole("button", { name: "Reset" });
  expect(verb).toBeDisabled();
  await expectAccessible();
  await user.type(within(dialog).getByLabelText("Type Lindenhof Grundschule to confirm"), "Lindenhof Grundschule");
  await user.click(verb);
  expect(await screen.findByLabelText("Enrollment code or link")).toBeVisible();
  expect(host.made).toContainEqual({ method: "reset_enrollment", request: {} });
});

test("a receiver beside this program is reset where it runs", async () => {
  openSchool("/settings", {
    receiver: { state: "beside", webhook: "https://school.example/webhook", dataDir: "school-data" },
  });
  expect(await screen.findByText("0.1.0, the school's own beside this program")).toBeVisible();
  expect(screen.getByRole("button", { name: "Reset the enrollment…" })).toBeDisabled();
  expect(screen.getByText(/reset it where it runs/)).toBeVisible();
});
