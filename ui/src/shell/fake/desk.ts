import type { ReceivedEvent, RosterStudent, SequenceGap } from "@/gen/rollcall/school/v1/receiver";

/** What a made-up school's receiver holds; the receiver's and the provider's answers share it. */
export interface Desk {
  enrolled: boolean;
  fingerprints: string[];
  students: RosterStudent[];
  /** Oldest first. */
  events: ReceivedEvent[];
  gaps: SequenceGap[];
  highest: number;
  /** Told of every new arrival. */
  tails: Set<(event: ReceivedEvent) => void>;
}

export const SCHOOL = { id: "sch_7", sourcedId: "sch-7", name: "Lindenhof Grundschule", district: "Kreis Nordheim" };
export const WORDS = "amber-canyon-lotus-mirror-pepper-violet";
export const NEW_WORDS = "birch-falcon-harbor-meadow-silver-tundra";

const GIVEN =
  "Ada Ben Clara David Elif Finn Greta Hugo Ida José Kim Linh Mateo Nora Omar Pia Quentin Rosa Sami Thea".split(" ");
const FAMILY =
  "Abel Becker Çelik Dorn Engel Fuchs Großmann Hansen Ito Jansen Krämer Lang Müller Nguyễn Özdemir Peters Richter Schulz Torres Weiß Yilmaz Zimmer".split(
    " ",
  );
const ID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The same made-up numbers at every start. */
function random(seed: number) {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

const pick = <T>(from: readonly T[], at: number): T => from[Math.floor(at * from.length)] as T;

export function messageId(number: number): string {
  const next = random(number + 7);
  return `evt_01JDZ8Q${Array.from({ length: 19 }, () => pick([...ID], next())).join("")}`;
}

function student(index: number, now: number): RosterStudent {
  const next = random(index * 31 + 5);
  const [givenName, familyName] = [pick(GIVEN, next()), pick(FAMILY, next())];
  const grades = [`0${1 + Math.floor(next() * 4)}`];
  const version = String(1 + Math.floor(next() * 5));
  const sourcedId = `S-${1_000 + index}`;
  const receivedAt = new Date(now - Math.floor(next() * 40 * 86_400_000)).toISOString();
  const record = {
    sourcedId,
    status: "active",
    version: Number(version),
    dateLastModified: receivedAt,
    givenName,
    familyName,
    identifier: String(40_000 + index * 7),
    grades,
    enabledUser: true,
    primaryOrgSourcedId: SCHOOL.sourcedId,
    schoolEnrollments: [{ schoolSourcedId: SCHOOL.sourcedId, roleType: "primary", beginDate: "2026-08-17" }],
  };
  return { sourcedId, version, givenName, familyName, grades, json: JSON.stringify(record), receivedAt };
}

const OTHERS: Record<number, Partial<ReceivedEvent>> = {
  23: { verdict: "duplicate", result: "duplicate" },
  41: { verdict: "bad_signature", result: "refused: no signature fits", code: 401, eventType: "", sequence: "0" },
  57: { verdict: "too_old", result: "refused: 412 s old", code: 401, eventType: "", sequence: "0" },
  79: { verdict: "rejected", result: "refused: the disk is full", code: 503 },
};

/** Event number `number` of the record. */
export function event(number: number, at: number, more: Partial<ReceivedEvent> = {}): ReceivedEvent {
  const next = random(number * 17 + 3);
  const types = [
    "student.updated",
    "student.updated",
    "student.updated",
    "student.enrolled",
    "student.withdrawn",
    "student.created",
  ];
  return {
    number: String(number),
    at: new Date(at).toISOString(),
    verdict: "verified",
    eventType: pick(types, next()),
    sequence: String(number),
    messageId: messageId(number),
    result: "applied",
    code: 200,
    latencyUs: 700 + Math.floor(next() * 5_200),
    studentSourcedId: `S-${1_000 + Math.floor(next() * 412)}`,
    ...OTHERS[number % 97],
    ...more,
  };
}

/** An enrolled school with 412 students and 640 arrivals, the last of them a moment ago. */
export function newDesk(now = Date.now()): Desk {
  const total = 640;
  return {
    enrolled: true,
    fingerprints: [WORDS],
    students: Array.from({ length: 412 }, (_, index) => student(index, now)),
    events: Array.from({ length: total }, (_, index) => event(index + 1, now - (total - index) * 97_000)),
    gaps: [],
    highest: total,
    tails: new Set(),
  };
}

/** Something arrives. */
export function arrive(desk: Desk, more: Partial<ReceivedEvent> = {}): ReceivedEvent {
  const number = desk.events.length + 1;
  const arrived = event(number, Date.now(), more);
  desk.events.push(arrived);
  if (arrived.sequence !== "0" && !("sequence" in more)) desk.highest = Math.max(desk.highest, number);
  for (const tell of desk.tails) tell(arrived);
  return arrived;
}
