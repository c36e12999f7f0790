import { screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, openProvider, openSchool } from "./render";

test("the console's frame leads everywhere by its palette and its navigation", async () => {
  const { user } = openProvider("/");
  const navigation = await screen.findByRole("navigation", { name: "Main navigation" });
  expect(navigation).toBeVisible();
  await expectAccessible();
  await user.keyboard("{Control>}k{/Control}");
  await user.type(await screen.findByPlaceholderText("Go to or do…"), "audit{Enter}");
  await waitFor(() => expect(window.location.hash).toBe("#/audit"));
});

test("the desk says how both of its links are", async () => {
  const { host } = openSchool("/");
  expect(await screen.findAllByText("Connected")).toHaveLength(2);
  host.turnLink("provider", "reconnecting");
  expect(await screen.findByText("Reconnecting…")).toBeVisible();
  await expectAccessible();
});
