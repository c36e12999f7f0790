import { expect, test } from "vitest";
import { splitRequest, toBase64 } from "./pasted";

const PARTS = { id: "evt_1", timestamp: "1764000000", signature: "v1,abc= v1,def=" };
const HEADERS =
  "POST /webhook HTTP/1.1\nWebhook-Signature: v1,abc= v1,def=\nhost: x\nwebhook-id:evt_1\nWEBHOOK-TIMESTAMP: 1764000000";

test("headers in any case and order, then the body with its own line ends", () => {
  expect(splitRequest(`${HEADERS}\n\n{"a":1}\r\n`)).toEqual({ ...PARTS, body: '{"a":1}\r\n' });
  expect(splitRequest(`${HEADERS.replaceAll("\n", "\r\n")}\r\n\r\n{"a":\n\n1}`)).toEqual({
    ...PARTS,
    body: '{"a":\n\n1}',
  });
});

test("what curl prints, and a request without its empty line", () => {
  const curl =
    "> POST /webhook HTTP/2\n> webhook-id: evt_1\n> webhook-timestamp: 1764000000\n> webhook-signature: v1,abc= v1,def=\n\n{}";
  expect(splitRequest(curl)).toEqual({ ...PARTS, body: "{}" });
  expect(splitRequest(`${HEADERS}\n{"a":1}`)).toEqual({ ...PARTS, body: '{"a":1}' });
});

test("a text without one of the headers is none", () => {
  expect(splitRequest('{"a":1}')).toBeNull();
  expect(splitRequest("")).toBeNull();
});

test("bytes become base64, whatever they are", () => {
  expect(toBase64(new Uint8Array([0xef, 0xbb, 0xbf, 0x00, 0xff]))).toBe("77u/AP8=");
  expect(toBase64(new TextEncoder().encode("é"))).toBe("w6k=");
  expect(atob(toBase64(new Uint8Array(300_000).fill(65)))).toBe("A".repeat(300_000));
});
