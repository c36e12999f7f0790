import type { School } from "@/gen/rollcall/provider/v1/school";
import type { ReceivedEvent, Status } from "@/gen/rollcall/school/v1/receiver";
import type { LinkState, ReceiverState } from "@/shell/host";

export type Health = "ok" | "warn" | "bad" | "wait" | "unknown";

/** What is known when the chain is drawn. */
export interface Known {
  provider: LinkState;
  receiverLink: LinkState;
  receiver: ReceiverState;
  status?: Status;
  /** The status could not be read. */
  unread: boolean;
  /** The connection as the provider has it. */
  connection?: School["connection"];
  /** The newest arrival. */
  newest?: ReceivedEvent;
}

/** Why a verdict of the newest arrival is worth a look. */
const BAD = new Set(["bad_signature", "too_old", "rejected"]);

/** States of the connection in which messages wait, each with its words. */
const WAITING = [
  "CONNECTION_STATE_NOT_CONNECTED",
  "CONNECTION_STATE_ENROLLING",
  "CONNECTION_STATE_PAUSED",
  "CONNECTION_STATE_FAILING",
  "CONNECTION_STATE_DOWN",
  "CONNECTION_STATE_HELD",
  "CONNECTION_STATE_REVOKED",
  "CONNECTION_STATE_COMPROMISED",
] as const;

/** Why the provider does not send now, where that is so. */
export const waitingState = ({ connection }: Known) => WAITING.find((state) => state === connection?.state);

/** Somebody else presented this school's code: an active connection has a reason only then. */
export function providerAlarm(connection: School["connection"]): string {
  const alarming =
    connection?.state === "CONNECTION_STATE_ACTIVE" || connection?.state === "CONNECTION_STATE_COMPROMISED";
  return alarming ? (connection?.reason ?? "") : "";
}

export function providerHealth(known: Known): Health {
  const { provider, status } = known;
  if (provider === "server_key_changed" || provider === "reconnecting") return "bad";
  if (provider === "not_connected") return status && !status.enrolled ? "bad" : "unknown";
  return waitingState(known) ? "warn" : "ok";
}

export function receiverHealth({ receiver, receiverLink, status }: Known): Health {
  if (receiver.state === "starting") return "wait";
  if (receiver.state === "failed") return "bad";
  if (receiverLink !== "connected" && !status) return "wait";
  if (receiverLink === "reconnecting" || receiverLink === "server_key_changed") return "bad";
  return status && !status.enrolled ? "warn" : "ok";
}

export function eventHealth({ receiver, status, unread, newest }: Known): Health {
  if (!status) return unread || receiver.state === "failed" ? "unknown" : "wait";
  if (newest && BAD.has(newest.verdict)) return "bad";
  return status.lastVerifiedAt ? "ok" : "warn";
}

/** Connections over which nothing goes out before something changes at the provider. */
const UNSENT = [
  "CONNECTION_STATE_NOT_CONNECTED",
  "CONNECTION_STATE_ENROLLING",
  "CONNECTION_STATE_COMPROMISED",
] as const;

/** Whether this school has every message; green only where the provider said so, at a time. */
export type Sync =
  | { kind: "in_sync"; sequence: string; at: number }
  | { kind: "behind"; sequence: string; head: string }
  | { kind: "gaps"; sequence: string; missing: number }
  | { kind: "unknown"; sequence: string; at: number }
  /** The provider has given out less than is here: the two do not speak of the same school, or one was set back. */
  | { kind: "ahead"; sequence: string; head: string }
  /** Nothing was given out yet, so there is nothing to be in sync with. */
  | { kind: "unsent"; state: (typeof UNSENT)[number] };

/** What the provider said, and when. */
export interface Asked {
  /** Its highest sequence; absent before the first answer. */
  head?: string;
  /** The highest sequence that was known to be here before it was asked. */
  heldBefore?: string;
  state?: string;
  at: number;
  /** It can be believed now. */
  reached: boolean;
}

/** `missing` counts the gaps; without it, their span is taken. */
export function syncOf(status: Status, missing: number | undefined, asked: Asked): Sync {
  const sequence = status.contiguousSequence;
  const held = Number(sequence);
  const span = Number(status.highestSequence) - held;
  const { at, reached } = asked;
  if (asked.head === undefined || !reached) {
    return span > 0 ? { kind: "gaps", sequence, missing: missing || span } : { kind: "unknown", sequence, at };
  }
  const head = Number(asked.head);
  // Before the gaps: numbers of two counts have no gaps between them.
  if (asked.heldBefore !== undefined && head < Number(asked.heldBefore)) {
    return { kind: "ahead", sequence: status.highestSequence, head: asked.head };
  }
  if (span > 0) return { kind: "gaps", sequence, missing: missing || span };
  if (head > held) return { kind: "behind", sequence, head: asked.head };
  // Something arrived since; only where it is known that it was not here before, the answer still counts.
  if (head < held && asked.heldBefore === undefined) return { kind: "unknown", sequence, at };
  const unsent = UNSENT.find((state) => state === asked.state);
  if (unsent && head === 0 && held === 0) return { kind: "unsent", state: unsent };
  return { kind: "in_sync", sequence, at };
}
