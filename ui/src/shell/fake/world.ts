import type { Session } from "../host";
import { audit } from "./audit";
import { NEW_WORDS, newDesk, SCHOOL, WORDS } from "./desk";
import { fakeWorld } from "./district";
import type { Answers } from "./host";
import { imports } from "./imports";
import { link } from "./link";
import { log } from "./log";
import { overview } from "./overview";
import { receiver } from "./receiver";
import { schools } from "./schools";
import { staff } from "./staff";
import { students } from "./students";
import { undelivered } from "./undelivered";

export const OWNER: Session = {
  server: { address: "rollcall.example:7443", pin: "ab".repeat(32) },
  staff: { id: "stf_1", username: "ada", role: "ROLE_OWNER", districtIds: [] },
  expiresAt: null,
  kept: { kept: "keychain" },
};

/** What the Provider Console sees in a browser. Each service has its file beside this one. */
export function providerAnswers(): Answers {
  const world = fakeWorld();
  const logs = log();
  return {
    session: OWNER,
    servers: [OWNER.server],
    check: {
      pin: OWNER.server.pin,
      version: "0.1.0",
      compatible: true,
      unclaimed: false,
      latencyMs: 12,
      keyKnown: true,
    },
    ...together(
      staff(),
      schools(world),
      overview(world),
      students(),
      imports(),
      logs,
      undelivered(logs.calls),
      audit(world),
    ),
  };
}

/** What School Desk sees in a browser: an enrolled school, which a reset makes ready for a code. */
export function schoolAnswers(): Answers {
  const desk = newDesk();
  return {
    receiver: { state: "inside", webhook: "http://127.0.0.1:8080/webhook", dataDir: "school-data" },
    code: {
      server: "rollcall.example:7443",
      schoolName: SCHOOL.name,
      schoolSourcedId: SCHOOL.sourcedId,
      districtName: SCHOOL.district,
      issuedBy: "ada",
      expiresAt: new Date(Date.now() + 20 * 3_600_000).toISOString(),
      state: "issued",
      secretStore: "keychain",
    },
    enrolled: () => {
      Object.assign(desk, { enrolled: true, fingerprints: [WORDS] });
      return {
        schoolName: SCHOOL.name,
        schoolSourcedId: SCHOOL.sourcedId,
        fingerprint: WORDS,
        alreadyYours: false,
        secretStore: "keychain",
      };
    },
    rotated: () => {
      const words = desk.fingerprints[0] === NEW_WORDS ? WORDS : NEW_WORDS;
      desk.fingerprints = [words, ...desk.fingerprints.slice(0, 1)];
      return words;
    },
    onReset: () => {
      desk.enrolled = false;
    },
    ...together(receiver(desk), link(desk)),
  };
}

function together(...parts: Pick<Answers, "calls" | "streams">[]): Pick<Answers, "calls" | "streams"> {
  return {
    calls: Object.assign({}, ...parts.map((part) => part.calls)),
    streams: Object.assign({}, ...parts.map((part) => part.streams)),
  };
}
