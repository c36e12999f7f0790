import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { HostProvider } from "@/shell/context";
import { FakeHost, refusal } from "@/shell/fake/host";
import { Theme } from "@/theme/Theme";
import { ExportMenu } from "./ExportMenu";

function show(host: FakeHost) {
  render(
    <HostProvider host={host}>
      <Theme app="provider" motion={false}>
        <ExportMenu school="sch_1" schoolName="Hill School" filter="status:failed" />
      </Theme>
    </HostProvider>,
  );
  const user = userEvent.setup();
  const choose = async (form: string) => {
    await user.click(screen.getByRole("button", { name: "Export" }));
    await user.click(await screen.findByRole("menuitem", { name: form }));
  };
  return { choose };
}

test("what the filter matches is saved in the form that was chosen, and the outcome told", async () => {
  const host = new FakeHost();
  const { choose } = show(host);
  await choose("As CSV");
  expect(await screen.findByText("1.0 kB saved")).toBeVisible();
  expect(host.made.at(-1)?.request).toMatchObject({
    method: "LogService/ExportAttempts",
    request: { school: "sch_1", filter: "status:failed", format: "csv" },
    suggestedName: expect.stringMatching(/^hill-school-log-\d{4}-\d\d-\d\d\.csv$/),
  });
});

test.each([
  ["the server refuses", refusal("permission_denied", "this takes the role viewer, auditor or operator")],
  ["the file cannot be written", refusal("file", "the disk is full")],
])("where %s, it says so and nothing passes for saved", async (_, failure) => {
  const host = new FakeHost();
  const { choose } = show(host);
  host.refuse.set("save_file", failure);
  await choose("As NDJSON");
  expect(await screen.findByText(failure.message)).toBeVisible();
  expect(screen.queryByText(/saved/)).toBeNull();
  expect(host.made.at(-1)?.request).toMatchObject({ request: { format: "ndjson" } });
});

test("nobody names a file: nothing is told, and the menu is there again", async () => {
  const host = new FakeHost({ saved: null });
  const { choose } = show(host);
  await choose("As CSV");
  await waitFor(() => expect(host.made.map(({ method }) => method)).toEqual(["save_file"]));
  expect(screen.queryByText(/saved/)).toBeNull();
  await choose("As CSV");
  await waitFor(() => expect(host.made).toHaveLength(2));
});
