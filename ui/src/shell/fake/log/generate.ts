import { EVENTS } from "@/api/logFilter";
import type { Attempt } from "@/gen/rollcall/provider/v1/log";
import { FAULTS, type Fault } from "./causes";

export const MAX_TRIES = 5;
/** Before try 2, 3, …, in ms. */
const WAITS = [5_000, 30_000, 180_000, 1_080_000];
const HOUR = 3_600_000;

/** Numbers that look like chance and are the same on every start. */
export function chance(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const messageId = (number: number) => `evt_01KC${String(number).padStart(22, "0")}`;
export const studentId = (number: number) => `stu_01KB${String(number).padStart(22, "0")}`;

interface Draft {
  at: number;
  attempt: Omit<Attempt, "logSequence">;
}

/** A message's attempts, from its first on. */
export function makeMessage(number: number, at: number, next: () => number, fault: Fault | null): Draft[] {
  const student = 1 + Math.floor(next() * 400);
  const type = next() < 0.72 ? "student.updated" : (EVENTS[Math.floor(next() * 5)] as string);
  const test = next() < 0.01;
  const base = {
    messageId: messageId(number),
    eventType: test ? "connection.test" : type,
    sequence: test ? "0" : String(number),
    studentId: test ? "" : studentId(student),
    studentSourcedId: test ? "" : `S-${10_000 + student}`,
    maxTries: MAX_TRIES,
    requestBytes: test ? 214 : 640 + Math.floor(next() * 900),
  };
  if (test) return [draft(base, at, 1, "test", null, 1, next)];
  // Failures end after 1 to 3 tries, or never.
  const lasting = fault ? (next() < 0.3 ? MAX_TRIES : 1 + Math.floor(next() * 3)) : 0;
  const drafts: Draft[] = [];
  let when = at;
  for (let tried = 1; tried <= MAX_TRIES; tried++) {
    const failed = tried <= lasting ? fault : null;
    drafts.push(draft(base, when, tried, "automatic", failed, MAX_TRIES, next));
    if (!failed || failed.cause === "gone") break;
    when += (failed.cause === "rate_limited" ? 120_000 : (WAITS[tried - 1] ?? 0)) + 40;
  }
  if (drafts.at(-1)?.attempt.status === "parked" && next() < 0.5) {
    const trigger = next() < 0.5 ? "resend" : "replay";
    drafts.push(draft(base, when + 0.4 * HOUR, drafts.length + 1, trigger, null, MAX_TRIES, next));
  }
  return drafts;
}

/** One attempt of a message that was made before. */
export function makeAttempt(of: Attempt, trigger: string, fault: Fault | null, at: number, next: () => number): Draft {
  const { messageId, eventType, sequence, studentId, studentSourcedId, maxTries, requestBytes } = of;
  const base = { messageId, eventType, sequence, studentId, studentSourcedId, maxTries, requestBytes };
  return draft(base, at, of.tryNumber + 1, trigger, fault, of.tryNumber + 1, next);
}

type Base = Pick<
  Attempt,
  "messageId" | "eventType" | "sequence" | "studentId" | "studentSourcedId" | "maxTries" | "requestBytes"
>;

function draft(
  base: Base,
  at: number,
  tryNumber: number,
  trigger: string,
  fault: Fault | null,
  lastTry: number,
  next: () => number,
): Draft {
  const [from, to] = fault?.latency ?? [14, next() < 0.05 ? 2_600 : 120];
  const latencyUs = Math.round((from + (to - from) * next() ** 2) * 1_000) + Math.floor(next() * 900);
  const answered = !fault || fault.code > 0;
  const waits = fault?.cause === "rate_limited" ? 120_000 : WAITS[tryNumber - 1];
  const status = !fault
    ? "delivered"
    : fault.cause === "gone"
      ? "held"
      : trigger === "test"
        ? "failed"
        : tryNumber < lastTry
          ? "retrying"
          : "parked";
  return {
    at,
    attempt: {
      ...base,
      at: new Date(at).toISOString(),
      trigger,
      tryNumber,
      status,
      cause: fault?.cause ?? "",
      code: fault ? fault.code : 204,
      latencyUs,
      firstByteUs: answered ? Math.round(latencyUs * 0.94) : 0,
      responseBytes: fault?.body?.length ?? 0,
      nextAttemptAt: status === "retrying" && waits ? new Date(at + waits).toISOString() : undefined,
      explanation: fault?.explanation ?? "",
      clockSkewS: fault?.code === 401 ? 412 : 0,
    },
  };
}

/** The attempts of the last day of a school, oldest first, about `rows` of them, with an hour of trouble in it. */
export function makeLog(seed: number, rows: number, now: number): Attempt[] {
  const next = chance(seed);
  const span = 24 * HOUR;
  const drafts: Draft[] = [];
  for (let number = 1; drafts.length < rows; number++) {
    const at = now - span + (span * number) / (rows * 0.85);
    if (at > now) break;
    const trouble = at > now - 6 * HOUR && at < now - 5.2 * HOUR;
    const fails = next() < (trouble ? 0.75 : 0.045);
    const usual = trouble ? 0.9 : 0.35;
    const which = next() < usual ? Math.floor(next() * 2) : Math.floor(next() * FAULTS.length);
    drafts.push(...makeMessage(number, at, next, fails ? (FAULTS[which] as Fault) : null));
  }
  return drafts
    .filter(({ at }) => at <= now)
    .sort((a, b) => a.at - b.at)
    .map(({ attempt }, index) => ({ ...attempt, logSequence: String(index + 1) }));
}
