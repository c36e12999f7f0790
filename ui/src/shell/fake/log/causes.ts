import type { Cause } from "@/api/logFilter";

/** One way to fail, as the real server records it. */
export interface Fault {
  cause: Cause;
  code: number;
  /** The server's words. */
  explanation: string;
  /** ms, from and to. */
  latency: [number, number];
  body?: string;
  headers?: Record<string, string>;
}

const http = (code: number, explanation: string, body: string): Fault => ({
  cause: "http",
  code,
  explanation,
  latency: [12, 160],
  body,
  headers: { "content-type": "text/plain; charset=utf-8", server: "nginx/1.26.2" },
});

/** Every cause of the log, the usual ones first. */
export const FAULTS: readonly Fault[] = [
  http(
    503,
    "The school's system failed (503): its log should say why. It is tried again.",
    "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>",
  ),
  {
    cause: "timeout",
    code: 0,
    explanation: "The school's system was too slow: it did not answer in time. It should answer first and work later.",
    latency: [15_000, 15_004],
  },
  {
    cause: "connect",
    code: 0,
    explanation: "The school's system refused the connection: nothing listens there, or a firewall says no.",
    latency: [1, 4],
  },
  http(
    401,
    "The school's system refused the signature or us (401): check that it holds the current secret and that its clock is right.",
    '{"error":"signature does not match","keyTried":"harbor maple quartz"}',
  ),
  {
    cause: "rate_limited",
    code: 429,
    explanation: "The school's system asked us to slow down (429): the next attempt waits as long as it said.",
    latency: [8, 30],
    body: '{"error":"slow down"}',
    headers: { "content-type": "application/json", "retry-after": "120" },
  },
  http(500, "The school's system failed (500): its log should say why. It is tried again.", '{"error":"internal"}'),
  {
    cause: "dns",
    code: 0,
    explanation: "The host name of the school's address does not resolve: check the address, and that its DNS is up.",
    latency: [20, 900],
  },
  {
    cause: "tls",
    code: 0,
    explanation: "No secure connection to the school's system: its certificate has expired: renew it.",
    latency: [24, 80],
  },
  {
    cause: "tls",
    code: 0,
    explanation:
      "No secure connection to the school's system: its certificate is for another name: use the name in the address.",
    latency: [24, 80],
  },
  {
    cause: "reset",
    code: 0,
    explanation:
      "The connection ended before the answer was whole: look for a crash or a proxy's limit in the school's system.",
    latency: [30, 2_400],
  },
  {
    cause: "redirect",
    code: 302,
    explanation:
      "The school's system answered 302, a redirect, which is never followed: set the final address on the connection.",
    latency: [10, 40],
    headers: { location: "https://login.school.example/signin" },
  },
  http(
    413,
    "The message is too large for the school's system (413): raise its limit to 256 KiB.",
    "Request Entity Too Large",
  ),
  {
    cause: "too_large",
    code: 200,
    explanation: "The answer's headers are larger than is read: the address may belong to something else.",
    latency: [30, 90],
  },
  {
    cause: "blocked",
    code: 0,
    explanation:
      "The address is not public, so nothing was sent: use a public one, or start the server with --allow-network for its range.",
    latency: [0, 1],
  },
  {
    cause: "gone",
    code: 410,
    explanation: "The school's system answered 410 Gone: deliveries are kept until you resume the connection.",
    latency: [10, 30],
  },
  {
    cause: "protocol",
    code: 0,
    explanation: "The answer is not HTTP: the address or its port may belong to something else.",
    latency: [3, 12],
  },
  {
    cause: "internal",
    code: 0,
    explanation: "A fault of this server: its log says more. The attempt is made again.",
    latency: [1, 3],
  },
];
