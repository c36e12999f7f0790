import { render, screen, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { AttemptDetail, Message } from "@/gen/rollcall/provider/v1/log";
import { HostProvider } from "@/shell/context";
import { FakeHost } from "@/shell/fake/host";
import { FakeLog } from "@/shell/fake/log/school";
import { Theme } from "@/theme/Theme";
import { Timeline } from "./Timeline";

const FIRST = new FakeLog(7, 60, 0).attempts[0];

function detail(tryNumber: number, trigger: string, requestedBy: string): AttemptDetail {
  if (!FIRST) throw new Error("the log has an attempt");
  const attempt = { ...FIRST, logSequence: String(tryNumber), tryNumber, trigger };
  return {
    attempt,
    responseHeaders: [],
    responseBody: "",
    signedBy: [],
    verifiedKey: "",
    requestedBy,
    answerPurged: false,
  };
}

function show(...attempts: AttemptDetail[]) {
  render(
    <HostProvider host={new FakeHost()}>
      <Theme app="provider" motion={false}>
        <Timeline message={{ attempts } as Message} chosen="1" onChoose={vi.fn()} />
      </Theme>
    </HostProvider>,
  );
  const list = within(screen.getByRole("list", { name: "Attempts" }));
  return (number: number) => within(list.getByRole("button", { name: `Show attempt ${number}` }));
}

test("each attempt tells who had it made", () => {
  const step = show(
    detail(1, "automatic", ""),
    detail(2, "resend", "ada"),
    detail(3, "replay", "bo"),
    detail(4, "replay", "school:sch_01KB0000000000000000000001"),
  );
  expect(step(1).getByText("Automatic")).toBeVisible();
  expect(step(2).getByText("Resent by ada")).toBeVisible();
  expect(step(3).getByText("Replayed by bo")).toBeVisible();
  expect(step(4).getByText("Replayed by the school itself")).toBeVisible();
  expect(screen.queryByText(/audit log/)).toBeNull();
});

test("where that was not kept, the trigger stands there, and where to look", () => {
  const step = show(detail(1, "automatic", ""), detail(2, "resend", ""));
  expect(step(2).getByText("Resent by staff")).toBeVisible();
  expect(screen.getByText(/stands in the audit log/)).toBeVisible();
});
