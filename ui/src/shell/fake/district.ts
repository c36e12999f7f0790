import type { CodeInfo, Connection, District, School, SecretInfo } from "@/gen/rollcall/provider/v1/school";
import { ago, DISTRICTS, dice, HOUR, idOf, SCHOOLS, type SeedSchool } from "./seed";

/** A school of the made-up districts, with the traffic of its last 24 hours, oldest first. */
export interface FakeSchool {
  school: School;
  deliveredByHour: number[];
  failedByHour: number[];
}

/** Districts and schools as they are now: what is done to them changes it. */
export interface FakeWorld {
  districts: District[];
  schools: FakeSchool[];
}

const WORDS =
  "amber basin cedar delta ember falcon granite harbor island juniper kettle lagoon maple nickel orchid pepper quartz river saddle timber umber violet walnut yarrow zephyr".split(
    " ",
  );

function fingerprint(seed: number): string {
  const roll = dice(seed * 7_919 + 13);
  return Array.from({ length: 6 }, () => WORDS[roll(WORDS.length)]).join(" ");
}

const hours = (count: number) => ago(count * HOUR);

export function secret(number: number, state: string, ageHours: number, more: Partial<SecretInfo> = {}): SecretInfo {
  return {
    id: idOf("sec", number),
    fingerprint: fingerprint(number),
    state,
    createdAt: hours(ageHours),
    expiresAt: undefined,
    lastVerifiedAt: undefined,
    ...more,
  };
}

function code(state: string, ageHours: number, more: Partial<CodeInfo> = {}): CodeInfo {
  return {
    state,
    createdAt: hours(ageHours),
    expiresAt: hours(ageHours - 24),
    issuedBy: "ada",
    redeemedByHost: "",
    redeemedAt: undefined,
    ...more,
  };
}

export const RETRY = {
  maxTries: 5,
  delaysMs: [5_000, 30_000, 180_000, 1_080_000],
  probeMs: 900_000,
  timeoutMs: 15_000,
};

interface Detail {
  perHour?: number;
  /** Share of attempts that fail, for each of the last hours. */
  failing?: { share: number; hours: number };
  waiting?: { pending?: number; parked?: number; held?: number };
  connection?: Partial<Connection>;
}

/** What is special of a school, by its state; then of some active ones, by name. */
const BY_STATE: Record<string, () => Detail> = {
  CONNECTION_STATE_DOWN: () => ({
    perHour: 31,
    failing: { share: 1, hours: 7 },
    waiting: { pending: 5, parked: 212 },
    connection: {
      reason: "Nothing was deliverable for all tries: messages are parked, and probes go on.",
      nextAttemptAt: hours(-0.6),
      lastDeliveredAt: hours(7.2),
    },
  }),
  CONNECTION_STATE_FAILING: () => ({
    perHour: 18,
    failing: { share: 0.7, hours: 1 },
    waiting: { pending: 11 },
    connection: {
      reason: "The last messages failed at the connection: one is tried at a time, the rest wait.",
      nextAttemptAt: hours(-0.05),
      lastDeliveredAt: hours(0.4),
    },
  }),
  CONNECTION_STATE_PAUSED: () => ({
    perHour: 9,
    waiting: { pending: 41 },
    connection: { reason: `Paused by ada, until ${hours(-3).slice(0, 19)}Z.`, lastDeliveredAt: hours(1.6) },
  }),
  CONNECTION_STATE_HELD: () => ({
    perHour: 12,
    failing: { share: 1, hours: 3 },
    waiting: { held: 37 },
    connection: {
      reason: "The school's system answered 410 Gone: deliveries are kept until you resume.",
      lastDeliveredAt: hours(3.1),
    },
  }),
  CONNECTION_STATE_ENROLLING: () => ({
    connection: { code: code("issued", 2), secrets: [], installationHost: "", lastDeliveredAt: undefined },
  }),
  CONNECTION_STATE_NOT_CONNECTED: () => ({
    connection: { url: "", code: undefined, secrets: [], installationHost: "", lastDeliveredAt: undefined },
  }),
  CONNECTION_STATE_COMPROMISED: () => ({
    connection: {
      reason: "The enrollment code met a second redeemer: everything of it was destroyed.",
      secrets: [],
      installationHost: "",
      code: code("compromised", 5, { redeemedByHost: "UNKNOWN-PC", redeemedAt: hours(4.4) }),
      lastDeliveredAt: undefined,
    },
  }),
};
const BY_NAME: Record<string, () => Detail> = {
  "Oak Middle School": () => ({
    perHour: 24,
    failing: { share: 0.06, hours: 5 },
    waiting: { pending: 2, parked: 3 },
  }),
  "Maple Grove Elementary": () => ({
    perHour: 28,
    connection: {
      secrets: [
        secret(91, "active", 20, { lastVerifiedAt: hours(0.05) }),
        secret(92, "retiring", 4_100, { expiresAt: hours(-4), lastVerifiedAt: hours(3) }),
      ],
    },
  }),
  "Bayview High School": () => ({
    perHour: 44,
    connection: { ownReceiver: true, installationHost: "", code: undefined, secrets: [secret(95, "active", 9_900)] },
  }),
};

function traffic({ perHour = 0, failing }: Detail, number: number) {
  const roll = dice(number + 1);
  const deliveredByHour: number[] = [];
  const failedByHour: number[] = [];
  for (let hour = 0; hour < 24; hour++) {
    const night = hour < 4 || hour > 21 ? 0.2 : 1;
    const attempts = Math.round(perHour * night * (0.6 + roll(100) / 125));
    const failed = failing && hour >= 24 - failing.hours ? Math.round(attempts * failing.share) : 0;
    failedByHour.push(failed);
    deliveredByHour.push(attempts - failed);
  }
  return { deliveredByHour, failedByHour };
}

function build(seed: SeedSchool, index: number): FakeSchool {
  const detail = BY_STATE[seed.state]?.() ?? BY_NAME[seed.name]?.() ?? { perHour: 40 + index * 5 };
  const byHour = traffic(detail, index);
  const delivered = 40 * byHour.deliveredByHour.reduce((sum, count) => sum + count, 0);
  const { pending = 0, parked = 0, held = 0 } = detail.waiting ?? {};
  const enrolledHours = 300 + index * 260;
  const host = `FRONT-OFFICE-${index + 1}`;
  const connection: Connection = {
    state: seed.state,
    url: `https://sis.${seed.sourcedId}.example/webhook`,
    ownReceiver: false,
    retry: RETRY,
    maxInFlight: 32,
    secrets: [secret(index + 1, "active", enrolledHours, { lastVerifiedAt: hours(0.02 + index * 0.01) })],
    code: code("confirmed", enrolledHours, { redeemedByHost: host, redeemedAt: hours(enrolledHours - 1) }),
    installationHost: host,
    lastDeliveredAt: hours(0.02 + index * 0.01),
    reason: "",
    nextAttemptAt: undefined,
    ...detail.connection,
  };
  const { state: _, ...named } = seed;
  return {
    ...byHour,
    school: {
      ...named,
      connection,
      students: 30 + index * 4,
      headSequence: String(delivered + pending + parked + held),
      figures: {
        pending: String(pending),
        delivered: String(delivered),
        parked: String(parked),
        held: String(held),
        superseded: String(Math.round(delivered / 90)),
        discarded: "0",
        erased: "0",
        attempts: String(Math.round(delivered * 1.03)),
        retried: String(Math.round(delivered / 70)),
        everParked: String(parked + Math.round(delivered / 400)),
      },
      createdAt: hours(4_000),
    },
  };
}

/** The districts as they stand at the start, in every state that a connection can have. */
export function fakeWorld(): FakeWorld {
  return {
    districts: DISTRICTS.map((district) => ({ ...district, createdAt: hours(4_200) })),
    schools: SCHOOLS.map(build),
  };
}
