import type { Session } from "../host";
import { audit } from "./audit";
import type { Answers } from "./host";
import { imports } from "./imports";
import { link } from "./link";
import { log } from "./log";
import { places } from "./places";
import { receiver } from "./receiver";
import { schools } from "./schools";
import { staff } from "./staff";
import { students } from "./students";

export const OWNER: Session = {
  server: { address: "rollcall.example:7443", pin: "ab".repeat(32) },
  staff: { id: "stf_1", username: "ada", role: "ROLE_OWNER", districtIds: [] },
  expiresAt: null,
  kept: { kept: "keychain" },
};

/** What the Provider Console sees in a browser. Each service has its file beside this one. */
export function providerAnswers(): Answers {
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
    ...together(places(), staff(), schools(), students(), imports(), log(), audit()),
  };
}

/** What School Desk sees in a browser. */
export function schoolAnswers(): Answers {
  return {
    receiver: { state: "inside", webhook: "http://127.0.0.1:8080/webhook", dataDir: "school-data" },
    ...together(receiver(), link()),
  };
}

function together(...parts: Pick<Answers, "calls" | "streams">[]): Pick<Answers, "calls" | "streams"> {
  return {
    calls: Object.assign({}, ...parts.map((part) => part.calls)),
    streams: Object.assign({}, ...parts.map((part) => part.streams)),
  };
}
