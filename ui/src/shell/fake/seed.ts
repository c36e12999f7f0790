/** What the fake services about students, imports and undelivered messages share. */
import { fakeWorld } from "./district";
import { fakeId, hoursAgo } from "./ids";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const idOf = fakeId;

/** So long ago, RFC 3339. */
export const ago = (ms: number) => hoursAgo(ms / HOUR);

/** Whole numbers below `sides` that are the same at every start. */
export function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const world = fakeWorld();
export const DISTRICTS = world.districts;
export const SCHOOLS = world.schools.map(({ school }) => school);

/** By id, sourcedId or name, as the server takes them. */
export const schoolOf = (text: string) =>
  SCHOOLS.find(({ id, sourcedId, name }) => text === id || text === sourcedId || text === name);

export const districtOf = (text: string) =>
  DISTRICTS.find(({ id, sourcedId, name }) => text === id || text === sourcedId || text === name);
