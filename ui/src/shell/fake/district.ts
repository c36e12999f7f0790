import type {
  CodeInfo,
  Connection,
  ConnectionState,
  District,
  School,
  SecretInfo,
} from "@/gen/rollcall/provider/v1/school";
import { fakeId, hoursAgo, seeded } from "./ids";

/** A school of the made-up districts, with the traffic of its last 24 hours, oldest first. */
export interface FakeSchool {
  school: School;
  deliveredByHour: number[];
  failedByHour: number[];
}

export interface FakeWorld {
  districts: District[];
  schools: FakeSchool[];
}

const WORDS =
  "amber basin cedar delta ember falcon granite harbor island juniper kettle lagoon maple nickel orchid pepper quartz river saddle timber umber violet walnut yarrow zephyr".split(
    " ",
  );

/** Six words, as both consoles show a key. */
export function fingerprint(seed: number): string {
  const next = seeded(seed + 77);
  return Array.from({ length: 6 }, () => WORDS[Math.floor(next() * WORDS.length)]).join(" ");
}

export function secret(number: number, state: string, ageHours: number, more: Partial<SecretInfo> = {}): SecretInfo {
  return {
    id: fakeId("sec", number),
    fingerprint: fingerprint(number),
    state,
    createdAt: hoursAgo(ageHours),
    expiresAt: undefined,
    lastVerifiedAt: undefined,
    ...more,
  };
}

function code(state: string, ageHours: number, more: Partial<CodeInfo> = {}): CodeInfo {
  return {
    state,
    createdAt: hoursAgo(ageHours),
    expiresAt: hoursAgo(ageHours - 24),
    issuedBy: "ada",
    redeemedByHost: "",
    redeemedAt: undefined,
    ...more,
  };
}

interface Seed {
  name: string;
  sourcedId: string;
  district: 0 | 1;
  state: ConnectionState;
  students: number;
  perHour?: number;
  /** Share of attempts that fail, for each of the last hours from the newest back. */
  failing?: { share: number; hours: number };
  waiting?: { pending?: number; parked?: number; held?: number };
  connection?: Partial<Connection>;
}

const HOST = (name: string) => name.toLowerCase().replace(/[^a-z]+/g, "-");

const SEEDS: Seed[] = [
  {
    name: "Lincoln High School",
    sourcedId: "sch-lincoln",
    district: 0,
    state: "CONNECTION_STATE_ACTIVE",
    students: 1_284,
    perHour: 62,
  },
  {
    name: "Mission Elementary",
    sourcedId: "sch-mission",
    district: 0,
    state: "CONNECTION_STATE_ACTIVE",
    students: 512,
    perHour: 24,
    failing: { share: 0.06, hours: 5 },
    waiting: { pending: 2, parked: 3 },
  },
  {
    name: "Redwood Middle School",
    sourcedId: "sch-redwood",
    district: 0,
    state: "CONNECTION_STATE_DOWN",
    students: 743,
    perHour: 31,
    failing: { share: 1, hours: 7 },
    waiting: { pending: 5, parked: 212 },
    connection: {
      reason: "Nothing was deliverable for all tries: messages are parked, and probes go on.",
      nextAttemptAt: hoursAgo(-0.6),
      lastDeliveredAt: hoursAgo(7.2),
    },
  },
  {
    name: "Bayview Charter Academy",
    sourcedId: "sch-bayview",
    district: 0,
    state: "CONNECTION_STATE_FAILING",
    students: 388,
    perHour: 18,
    failing: { share: 0.7, hours: 1 },
    waiting: { pending: 11 },
    connection: {
      reason: "The last messages failed at the connection: one is tried at a time, the rest wait.",
      nextAttemptAt: hoursAgo(-0.05),
      lastDeliveredAt: hoursAgo(0.4),
    },
  },
  {
    name: "Oak Grove School",
    sourcedId: "sch-oakgrove",
    district: 0,
    state: "CONNECTION_STATE_PAUSED",
    students: 276,
    perHour: 9,
    waiting: { pending: 41 },
    connection: { reason: `Paused by ada, until ${hoursAgo(-3).slice(0, 19)}Z.`, lastDeliveredAt: hoursAgo(1.6) },
  },
  {
    name: "Summit View K-8",
    sourcedId: "sch-summit",
    district: 0,
    state: "CONNECTION_STATE_ENROLLING",
    students: 431,
    connection: { code: code("issued", 2), secrets: [], lastDeliveredAt: undefined },
  },
  {
    name: "Del Mar Preparatory",
    sourcedId: "sch-delmar",
    district: 0,
    state: "CONNECTION_STATE_NOT_CONNECTED",
    students: 198,
    connection: { url: "", secrets: [], lastDeliveredAt: undefined },
  },
  {
    name: "Harbor Point High",
    sourcedId: "H-100",
    district: 1,
    state: "CONNECTION_STATE_ACTIVE",
    students: 1_610,
    perHour: 74,
  },
  {
    name: "Escuela José Martí",
    sourcedId: "H-110",
    district: 1,
    state: "CONNECTION_STATE_ACTIVE",
    students: 640,
    perHour: 28,
    connection: {
      secrets: [
        secret(91, "active", 20, { lastVerifiedAt: hoursAgo(0.05) }),
        secret(92, "retiring", 4_100, { expiresAt: hoursAgo(-4), lastVerifiedAt: hoursAgo(3) }),
      ],
    },
  },
  {
    name: "Lighthouse Online",
    sourcedId: "H-120",
    district: 1,
    state: "CONNECTION_STATE_ACTIVE",
    students: 905,
    perHour: 44,
    connection: {
      ownReceiver: true,
      installationHost: "",
      code: undefined,
      secrets: [secret(95, "active", 9_900)],
    },
  },
  {
    name: "Pier Street Elementary",
    sourcedId: "H-130",
    district: 1,
    state: "CONNECTION_STATE_HELD",
    students: 322,
    perHour: 12,
    failing: { share: 1, hours: 3 },
    waiting: { held: 37 },
    connection: {
      reason: "The school's system answered 410 Gone: deliveries are kept until you resume.",
      lastDeliveredAt: hoursAgo(3.1),
    },
  },
  {
    name: "North Quay School",
    sourcedId: "H-140",
    district: 1,
    state: "CONNECTION_STATE_COMPROMISED",
    students: 251,
    connection: {
      reason: "The enrollment code met a second redeemer: everything of it was destroyed.",
      secrets: [],
      code: code("compromised", 5, { redeemedByHost: "UNKNOWN-PC", redeemedAt: hoursAgo(4.4) }),
      lastDeliveredAt: undefined,
    },
  },
];

function traffic(seed: Seed, number: number): Pick<FakeSchool, "deliveredByHour" | "failedByHour"> {
  const next = seeded(number + 1);
  const deliveredByHour: number[] = [];
  const failedByHour: number[] = [];
  for (let hour = 0; hour < 24; hour++) {
    const night = hour < 4 || hour > 21 ? 0.2 : 1;
    const attempts = Math.round((seed.perHour ?? 0) * night * (0.6 + next() * 0.8));
    const fails = seed.failing && hour >= 24 - seed.failing.hours ? seed.failing.share : 0.002 * next();
    const failed = Math.round(attempts * fails);
    failedByHour.push(failed);
    deliveredByHour.push(attempts - failed);
  }
  return { deliveredByHour, failedByHour };
}

function school(seed: Seed, index: number): FakeSchool {
  const hours = traffic(seed, index);
  const total = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0);
  const delivered = total(hours.deliveredByHour) * 40;
  const { pending = 0, parked = 0, held = 0 } = seed.waiting ?? {};
  const connection: Connection = {
    state: seed.state,
    url: `https://roster.${HOST(seed.name)}.example/rollcall/webhook`,
    ownReceiver: false,
    retry: { maxTries: 5, delaysMs: [5_000, 30_000, 180_000, 1_080_000], probeMs: 900_000, timeoutMs: 15_000 },
    maxInFlight: 32,
    secrets: [secret(index + 1, "active", 300 + index * 260, { lastVerifiedAt: hoursAgo(0.02 + index * 0.01) })],
    code: code("confirmed", 300 + index * 260, {
      redeemedByHost: `FRONT-OFFICE-${index + 1}`,
      redeemedAt: hoursAgo(299 + index * 260),
    }),
    installationHost: seed.perHour ? `FRONT-OFFICE-${index + 1}` : "",
    lastDeliveredAt: hoursAgo(0.02 + index * 0.01),
    reason: "",
    nextAttemptAt: undefined,
    ...seed.connection,
  };
  if (seed.state === "CONNECTION_STATE_NOT_CONNECTED") connection.code = undefined;
  return {
    ...hours,
    school: {
      id: fakeId("sch", index + 1),
      districtId: fakeId("dst", seed.district + 1),
      sourcedId: seed.sourcedId,
      name: seed.name,
      connection,
      students: seed.students,
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
      createdAt: hoursAgo(4_000),
    },
  };
}

/** Two districts with twelve schools, in every state that a connection can have. */
export function fakeWorld(): FakeWorld {
  return {
    districts: [
      {
        id: fakeId("dst", 1),
        name: "Valle Verde Unified",
        sourcedId: "vvusd",
        birthDate: false,
        createdAt: hoursAgo(4_200),
      },
      {
        id: fakeId("dst", 2),
        name: "Harbor County Schools",
        sourcedId: "hcs",
        birthDate: true,
        createdAt: hoursAgo(4_100),
      },
    ],
    schools: SEEDS.map(school),
  };
}
