import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { HostProvider } from "@/shell/context";
import { FakeHost, refusal } from "@/shell/fake/host";
import { Theme } from "@/theme/Theme";
import { ExportMenu } from "./ExportMenu";

function show(host: FakeHost, offered?: boolean) {
  render(
    <HostProvider host={host}>
      <Theme app="provider" motion={false}>
        <ExportMenu school="sch_1" schoolName="Hill School" filter="status:failed" offered={offered} />
      </Theme>
    </HostProvider>,
  );
  return userEvent.setup();
}

test("what the filter matches is saved in the form that was chosen, and the outcome told", async () => {
  const host = new FakeHost();
  const user = show(host, true);
  await user.click(screen.getByRole("button", { name: "Export" }));
  await user.click(await screen.findByRole("menuitem", { name: "As CSV" }));
  expect(await screen.findByText("1.0 kB saved")).toBeVisible();
  expect(host.made.at(-1)?.request).toMatchObject({
    method: "LogService/ExportAttempts",
    request: { school: "sch_1", filter: "status:failed", format: "csv" },
    suggestedName: expect.stringMatching(/^hill-school-log-\d{4}-\d\d-\d\d\.csv$/),
  });
  host.refuse.set("save_file", refusal("file", "the disk is full"));
  await user.click(screen.getByRole("button", { name: "Export" }));
  await user.click(await screen.findByRole("menuitem", { name: "As NDJSON" }));
  expect(await screen.findByText("the disk is full")).toBeVisible();
});

test("without the rpc in the schema, nothing is offered", async () => {
  show(new FakeHost());
  await waitFor(() => expect(screen.queryByRole("button", { name: "Export" })).toBeNull());
});
