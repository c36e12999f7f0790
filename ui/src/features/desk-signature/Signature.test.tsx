import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { refusal } from "@/shell/fake/host";
import { expectAccessible, openSchool } from "../../../tests/render";

const CHECKS = [
  { step: "headers", ok: true, evidence: "all three are there" },
  { step: "timestamp", ok: true, evidence: "a number of seconds" },
  { step: "skew", ok: true, evidence: "2 s between the timestamp and the arrival; 300 s are allowed" },
  { step: "key", ok: true, evidence: "1 in place, the newest is amber-canyon-lotus-mirror-pepper-violet" },
  { step: "body", ok: true, evidence: "7 bytes, SHA-256 015abd" },
  { step: "hmac", ok: false, evidence: "none of the 1 signatures fits any of the 1 keys" },
];
const found = (more: object) => () => ({
  verified: false,
  checks: CHECKS,
  likelyCause: "altered",
  advice: "",
  ...more,
});
const asked = (host: { made: { method: string; request: unknown }[] }) =>
  host.made.filter(({ method }) => method === "ReceiverService/CheckSignature").map(({ request }) => request);

async function paste(user: ReturnType<typeof openSchool>["user"], text: string) {
  await user.click(await screen.findByLabelText("Headers and body, as received"));
  await user.paste(text);
  await user.click(screen.getByRole("button", { name: "Fill in the parts" }));
}

test("a pasted request is split, checked, and each step shown in order with its evidence", async () => {
  const advice = "Verify the raw bytes of the request.";
  const { user, host } = openSchool("/signature", {
    calls: { "ReceiverService/CheckSignature": found({ likelyCause: "trailing_newline", advice }) },
  });
  await paste(user, 'webhook-id: evt_1\nwebhook-timestamp: 1764000000\nwebhook-signature: v1,abc=\n\n{"a":1}');
  expect(screen.getByLabelText("webhook-id")).toHaveValue("evt_1");
  expect(screen.getByLabelText("Raw body")).toHaveValue('{"a":1}');
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Check the signature" }));
  expect(await screen.findByText("The signature does not verify")).toBeVisible();
  const steps = within(screen.getByRole("list", { name: "Checks in order" })).getAllByRole("listitem");
  expect(steps.map((step) => step.dataset.step)).toEqual(["headers", "timestamp", "skew", "key", "body", "hmac"]);
  expect(within(steps[5] as HTMLElement).getByLabelText("not passed")).toBeVisible();
  for (const { evidence } of CHECKS) expect(screen.getByText(evidence)).toBeVisible();
  expect(screen.getByText("A line break was added or cut at the end")).toBeVisible();
  expect(screen.getByText(advice)).toBeVisible();
  expect(asked(host)).toEqual([
    {
      webhookId: "evt_1",
      webhookTimestamp: "1764000000",
      webhookSignature: "v1,abc=",
      body: btoa('{"a":1}'),
      expectedSha256: "",
      expectedBytes: 0,
    },
  ]);
  await expectAccessible();
  // The result says that it is of another request once something changes.
  await user.type(screen.getByLabelText("webhook-id"), "2");
  expect(await screen.findByText("The request was changed since this check.")).toBeVisible();
});

test("a right signature says so", async () => {
  const { user } = openSchool("/signature", {
    calls: { "ReceiverService/CheckSignature": found({ verified: true, likelyCause: "none" }) },
  });
  await user.click(await screen.findByRole("button", { name: "Check the signature" }));
  expect(await screen.findByText("The signature is right")).toBeVisible();
});

test.each([
  ["reserialized_json", "The JSON was parsed and written again"],
  ["bom", "A byte order mark was added or cut"],
  ["charset", "The body was decoded with another charset"],
  ["gzip", "The body is compressed"],
  ["other_key", "It was signed with another school's key"],
  ["expired_key", "It was signed with the old key, after the overlap"],
  ["proxy_rewrite", "Something on the way rewrote it"],
  ["altered", "The body was changed after it was signed"],
  ["a_newer_cause", "a_newer_cause"],
])("the cause %s is said in plain words", async (likelyCause, words) => {
  const { user } = openSchool("/signature", { calls: { "ReceiverService/CheckSignature": found({ likelyCause }) } });
  await user.click(await screen.findByRole("button", { name: "Check the signature" }));
  expect(await screen.findByText(words)).toBeVisible();
});

test("a file's bytes are sent exactly, and the text again when it is taken away", async () => {
  const { user, host } = openSchool("/signature", { calls: { "ReceiverService/CheckSignature": found({}) } });
  await screen.findByLabelText("Raw body");
  const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d, 0x0d, 0x0a]);
  // jsdom's files cannot be read this way; every webview's can.
  const file = Object.assign(new File([bytes], "body.bin"), { arrayBuffer: async () => bytes.buffer });
  await user.upload(screen.getByLabelText("Use a file instead", { selector: "input" }), file);
  expect(await screen.findByText("body.bin, 7 bytes")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Check the signature" }));
  await waitFor(() => expect(asked(host)).toHaveLength(1));
  expect(asked(host)[0]).toMatchObject({ body: "77u/e30NCg==" });
  await user.click(screen.getByRole("button", { name: "Use the text again" }));
  expect(await screen.findByLabelText("Raw body")).toHaveValue("");
});

test("a text without headers says so", async () => {
  const { user } = openSchool("/signature");
  await paste(user, "just a text");
  expect(await screen.findByText(/No webhook headers were found/)).toBeVisible();
});

test("a wrong time or length is told at its field and nothing is asked", async () => {
  const { user, host } = openSchool("/signature");
  await user.type(await screen.findByLabelText("Received at"), "yesterday");
  await user.type(screen.getByLabelText("Length that the provider shows"), "many");
  expect(await screen.findByText(/This is not a time/)).toBeVisible();
  expect(screen.getByText("This is not a number of bytes.")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Check the signature" }));
  expect(asked(host)).toEqual([]);
});

test("a received event fills in its id, its time and the length that was sent", async () => {
  const row = { number: "7", at: "2026-11-25T14:02:11.000Z", verdict: "bad_signature", messageId: "evt_7A", code: 401 };
  const { user, host } = openSchool("/signature", {
    calls: {
      "ReceiverService/ListEvents": () => ({ events: [row], nextPageToken: "" }),
      "SchoolLinkService/ListOwnAttempts": () => ({ attempts: [{ requestBytes: 733 }], nextPageToken: "" }),
    },
  });
  await user.click(await screen.findByLabelText("From a received event"));
  await user.click(await screen.findByText(/evt_7A/));
  await waitFor(() => expect(screen.getByLabelText("webhook-id")).toHaveValue("evt_7A"));
  expect(screen.getByLabelText("Received at")).toHaveValue("2026-11-25T14:02:11.000Z");
  await waitFor(() => expect(screen.getByLabelText("Length that the provider shows")).toHaveValue("733"));
  expect(host.made).toContainEqual({
    method: "SchoolLinkService/ListOwnAttempts",
    request: { filter: "id:evt_7A", pageSize: 1 },
  });
});

test("a receiver that cannot check says why", async () => {
  const { user, host } = openSchool("/signature");
  host.refuse.set("ReceiverService/CheckSignature", refusal("resource_exhausted", "the body is too large"));
  await user.click(await screen.findByRole("button", { name: "Check the signature" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("the body is too large");
});
