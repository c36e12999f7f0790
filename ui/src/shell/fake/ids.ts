const HOUR = 3_600_000;

/** An id in the schema's form, `sch_01KB…`, the same on every start. */
export const fakeId = (prefix: string, number: number) => `${prefix}_01KB${String(number).padStart(22, "0")}`;

/** A moment, `hours` before now, as the schema writes it. */
export const hoursAgo = (hours: number) => new Date(Date.now() - hours * HOUR).toISOString();

/** Numbers that look like chance and are the same on every start: 0 up to 1. */
export function seeded(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}
