import type { Attempt, AttemptDetail, Header, Message } from "@/gen/rollcall/provider/v1/log";
import { FAULTS } from "./causes";
import type { FakeLog } from "./school";

const NEW_KEY = "cedar lagoon orchid timber falcon maple";
const OLD_KEY = "ember quartz river saddle violet amber";
const FIRST = ["Amara", "Ben", "Chloé", "Diego", "Elif", "Fatou", "Grace", "Hiro", "Inès", "Jonas"];
const LAST = ["Okafor", "Nguyễn", "Martínez", "Schmidt", "O'Brien", "Yılmaz", "Kowalski", "Tanaka"];

const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** The bytes that were signed and sent: keys in the order of the wire. */
export function bodyOf(attempt: Attempt): string {
  const number = Number(attempt.studentSourcedId.slice(2)) || 0;
  const envelope = {
    id: attempt.messageId,
    type: attempt.eventType,
    apiVersion: "1",
    timestamp: attempt.at,
    ...(attempt.sequence === "0" ? {} : { sequence: Number(attempt.sequence) }),
    changeId: attempt.messageId.replace("evt_", "chg_"),
    district: { sourcedId: "district-1" },
    school: { sourcedId: "school-1" },
    source: { kind: "import", runId: "run_01KB0000000000000000000003", line: number },
    data: dataOf(attempt, number),
  };
  return JSON.stringify(envelope);
}

function dataOf({ eventType, at, studentSourcedId: sourcedId }: Attempt, number: number) {
  if (eventType === "connection.test") return { message: "Hello from Rollcall" };
  if (eventType === "student.deleted") return { sourcedId, version: 4, reason: "tobedeleted" };
  if (eventType === "student.withdrawn") return { sourcedId, version: 4, endDate: "2026-11-20" };
  const object = {
    sourcedId,
    status: "active",
    version: 3,
    dateLastModified: at,
    givenName: FIRST[number % FIRST.length],
    familyName: LAST[number % LAST.length],
    grades: [String(1 + (number % 12)).padStart(2, "0")],
    email: `s${number}@students.example`,
    enabledUser: true,
    schoolEnrollments: [{ schoolSourcedId: "school-1", roleType: "primary", beginDate: "2026-08-24" }],
  };
  if (eventType !== "student.updated") return { object };
  const previousAttributes = { grades: [String(number % 12).padStart(2, "0")], email: null };
  return { object, previousAttributes };
}

function detail(attempt: Attempt): AttemptDetail {
  const fault = FAULTS.find(({ explanation }) => explanation === attempt.explanation);
  const answered = attempt.code > 0;
  const headers = { date: new Date(attempt.at ?? 0).toUTCString(), "content-length": "0", ...fault?.headers };
  return {
    attempt,
    responseHeaders: answered ? Object.entries(headers).map(([name, value]) => ({ name, value })) : [],
    responseBody: answered ? base64(fault?.body ?? "") : "",
    signedBy: [NEW_KEY, OLD_KEY],
    verifiedKey: attempt.status === "delivered" ? NEW_KEY : "",
    requestedBy: ["resend", "replay"].includes(attempt.trigger) ? "m.okafor" : "",
    answerPurged: false,
  };
}

async function sha256(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  if (!globalThis.crypto?.subtle) return "ab".repeat(32);
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const STATES: Record<string, [state: string, reason: string]> = {
  delivered: ["delivered", ""],
  retrying: ["pending", ""],
  parked: ["parked", "exhausted"],
  held: ["held", "gone"],
  failed: ["discarded", ""],
};

/** A message with its attempts; its body only where it is revealed. */
export async function messageOf(log: FakeLog, id: string, schoolId: string, reveal: boolean): Promise<Message | null> {
  const attempts = log.of(id);
  const [first, last] = [attempts[0], attempts.at(-1)];
  if (!first || !last) return null;
  const body = bodyOf(first);
  const [state, reason] = STATES[last.status] ?? ["pending", ""];
  const header = (name: string, value: string): Header => ({ name, value });
  return {
    id,
    schoolId,
    eventType: first.eventType,
    sequence: first.sequence,
    studentId: first.studentId,
    studentSourcedId: first.studentSourcedId,
    state,
    reason,
    createdAt: first.at,
    nextAttemptAt: last.nextAttemptAt,
    body: reveal ? base64(body) : "",
    bodyBytes: new TextEncoder().encode(body).length,
    bodySha256: await sha256(body),
    requestHeaders: [
      header("content-type", "application/json"),
      header("user-agent", "Rollcall/0.1.0"),
      header("content-length", String(new TextEncoder().encode(body).length)),
      header("webhook-id", id),
      header("webhook-timestamp", String(Math.floor(Date.parse(last.at ?? "") / 1_000))),
      header("webhook-signature", `v1 by ${NEW_KEY}, ${OLD_KEY}`),
    ],
    attempts: attempts.map(detail),
    changeId: id.replace("evt_", "chg_"),
    tries: last.tryNumber,
    bodyPurged: false,
  };
}
