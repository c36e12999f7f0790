import type { CheckSignatureRequest, CheckSignatureResponse } from "@/gen/rollcall/school/v1/receiver";
import { WORDS } from "./desk";

/** Without a real key: a body that ends in a line break shows the usual accident, any other one another key. */
export function checked(request: CheckSignatureRequest): CheckSignatureResponse {
  const body = atob(request.body ?? "");
  const missing = (["webhookId", "webhookTimestamp", "webhookSignature"] as const).filter((part) => !request[part]);
  const newline = body.endsWith("\n");
  return {
    verified: false,
    checks: [
      {
        step: "headers",
        ok: missing.length === 0,
        evidence: missing.length === 0 ? "all three are there" : `missing: ${missing.join(", ")}`,
      },
      {
        step: "timestamp",
        ok: /^\d+$/.test(request.webhookTimestamp),
        evidence: /^\d+$/.test(request.webhookTimestamp) ? "a number of seconds" : "not a number of seconds",
      },
      { step: "skew", ok: true, evidence: "2 s between the timestamp and the arrival; 300 s are allowed" },
      { step: "key", ok: true, evidence: `1 in place, the newest is ${WORDS}` },
      {
        step: "body",
        ok: body.length > 0 && (!request.expectedBytes || request.expectedBytes === body.length),
        evidence: `${body.length} bytes, SHA-256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08${
          request.expectedBytes && request.expectedBytes !== body.length
            ? `; the provider sent ${request.expectedBytes} bytes`
            : ""
        }`,
      },
      { step: "hmac", ok: false, evidence: "none of the 1 signatures fits any of the 1 keys" },
    ],
    likelyCause: newline ? "trailing_newline" : "other_key",
    advice: newline
      ? "A line break was added or cut at the end: verify the raw bytes of the request, not a text read from a file or an editor."
      : "The body looks as it was sent, so the key differs: compare the six words on both consoles, and enroll again if they differ.",
  };
}
