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

export function eventHealth({ status, newest }: Known): Health {
  if (!status) return "unknown";
  if (newest && BAD.has(newest.verdict)) return "bad";
  return status.lastVerifiedAt ? "ok" : "warn";
}

/** Whether this school has every message; green only where the provider said so, at a time. */
export type Sync =
  | { kind: "in_sync"; sequence: string; at: number }
  | { kind: "behind"; sequence: string; head: string }
  | { kind: "gaps"; sequence: string; missing: number }
  | { kind: "unknown"; sequence: string; at: number };

/**
 * `missing` counts the gaps; without it, their span is taken. `head` is the provider's highest sequence as of `askedAt`,
 * which is only believed while the provider is `reached`.
 */
export function syncOf(
  status: Status,
  missing: number | undefined,
  head: string | undefined,
  askedAt: number,
  reached: boolean,
): Sync {
  const sequence = status.contiguousSequence;
  const span = Number(status.highestSequence) - Number(sequence);
  if (span > 0) return { kind: "gaps", sequence, missing: missing || span };
  if (head === undefined || !reached) return { kind: "unknown", sequence, at: askedAt };
  if (Number(head) > Number(sequence)) return { kind: "behind", sequence, head };
  return { kind: "in_sync", sequence, at: askedAt };
}
