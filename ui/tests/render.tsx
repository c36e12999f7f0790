import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { expect } from "vitest";
import { App as ProviderApp } from "../apps/provider/App";
import { App as SchoolApp } from "../apps/school/App";
import { type Answers, FakeHost } from "../src/shell/fake/host";
import { providerAnswers, schoolAnswers } from "../src/shell/fake/world";

/** Merges over the made-up district: what a test gives wins. */
function over(base: Answers, given: Answers): Answers {
  return {
    ...base,
    ...given,
    calls: { ...base.calls, ...given.calls },
    streams: { ...base.streams, ...given.streams },
  };
}

/** The whole Provider Console at a place, for example `/schools`, signed in as an owner. */
export function openProvider(
  place: string,
  given: Answers = {},
  host = new FakeHost(over(providerAnswers(), given)).signedIn(),
) {
  window.location.hash = `#${place}`;
  return { host, user: userEvent.setup(), ...render(<ProviderApp host={host} motion={false} />) };
}

/** The whole School Desk at a place. */
export function openSchool(place: string, given: Answers = {}, host = new FakeHost(over(schoolAnswers(), given))) {
  window.location.hash = `#${place}`;
  return { host, user: userEvent.setup(), ...render(<SchoolApp host={host} motion={false} />) };
}

/** The dialog with this title. In tests antd gives the titles of all dialogs one id, so that their names are one. */
export async function dialogOf(title: string) {
  const dialogs = (await screen.findAllByText(title)).map((text) => text.closest<HTMLElement>("[role=dialog]"));
  const dialog = dialogs.find((found) => found !== null);
  if (!dialog) throw new Error(`no dialog is titled ${title}`);
  return within(dialog);
}

/** axe finds nothing. Colours are checked as tokens: jsdom has no layout. */
export async function expectAccessible(element: Element = document.body) {
  const found = await axe.run(element, { rules: { "color-contrast": { enabled: false }, region: { enabled: false } } });
  expect(
    found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`),
  ).toEqual([]);
}
