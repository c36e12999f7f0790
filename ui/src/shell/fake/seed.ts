/** What the fake services of the Provider Console agree on: who there is. Deterministic, believable, nobody real. */
import type { ConnectionState } from "@/gen/rollcall/provider/v1/school";

/** Numbers that are the same at every start. */
export function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** An id of this kind with this number: `sch_` and 26 characters. */
export const idOf = (kind: string, number: number) => `${kind}_01k${String(number).padStart(23, "0")}`;

/** So long ago, RFC 3339. */
export const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Waits, as a network does. */
export const soon = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

export const DISTRICTS = [
  { id: idOf("dst", 1), name: "Fairview Unified", sourcedId: "fairview", birthDate: true },
  { id: idOf("dst", 2), name: "Harbor County", sourcedId: "harbor", birthDate: false },
];

export interface SeedSchool {
  id: string;
  districtId: string;
  sourcedId: string;
  name: string;
  state: ConnectionState;
}

const NAMES: [name: string, state: ConnectionState][] = [
  ["Lincoln High School", "CONNECTION_STATE_ACTIVE"],
  ["Oak Middle School", "CONNECTION_STATE_ACTIVE"],
  ["Riverside Elementary", "CONNECTION_STATE_DOWN"],
  ["Maple Grove Elementary", "CONNECTION_STATE_ACTIVE"],
  ["Franklin High School", "CONNECTION_STATE_FAILING"],
  ["Westfield Academy", "CONNECTION_STATE_PAUSED"],
  ["Cedar Ridge Middle School", "CONNECTION_STATE_ACTIVE"],
  ["Hillcrest Elementary", "CONNECTION_STATE_HELD"],
  ["Jefferson Magnet", "CONNECTION_STATE_ENROLLING"],
  ["Bayview High School", "CONNECTION_STATE_ACTIVE"],
  ["Harbor Middle School", "CONNECTION_STATE_COMPROMISED"],
  ["Lighthouse Elementary", "CONNECTION_STATE_NOT_CONNECTED"],
];

export const SCHOOLS: SeedSchool[] = NAMES.map(([name, state], index) => ({
  id: idOf("sch", index + 1),
  districtId: (index < 9 ? DISTRICTS[0] : DISTRICTS[1])?.id ?? "",
  sourcedId: `org-${101 + index}`,
  name,
  state,
}));

/** By id, sourcedId or name, as the server takes them. */
export const schoolOf = (text: string) =>
  SCHOOLS.find(({ id, sourcedId, name }) => text === id || text === sourcedId || text === name);

/** By id, sourcedId or name; the only one where none is named. */
export const districtOf = (text: string) =>
  DISTRICTS.find(({ id, sourcedId, name }) => text === id || text === sourcedId || text === name);
