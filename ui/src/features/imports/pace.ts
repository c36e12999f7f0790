import { useRef } from "react";

/** What was done at a moment, in ms. */
export interface Sample {
  at: number;
  done: number;
}

const WINDOW_MS = 10_000;
const LEAST_MS = 500;

/** How fast work goes, by its last ten seconds, and how long the rest takes; `null` before that can be said. */
export function pace(samples: readonly Sample[], of: number): { perSecond: number; leftMs: number | null } | null {
  const last = samples.at(-1);
  if (!last) return null;
  const first = samples.find(({ at }) => at >= last.at - WINDOW_MS) ?? last;
  const passed = last.at - first.at;
  if (passed < LEAST_MS || last.done <= first.done) return null;
  const perSecond = ((last.done - first.done) / passed) * 1_000;
  return { perSecond, leftMs: of > last.done ? ((of - last.done) / perSecond) * 1_000 : null };
}

/** The pace of one piece of work, from what it tells as it goes; another `work` begins anew. */
export function usePace(work: string, done: number, of: number) {
  const held = useRef<{ work: string; samples: Sample[] }>({ work, samples: [] });
  if (held.current.work !== work) held.current = { work, samples: [] };
  const { samples } = held.current;
  const at = performance.now();
  if (samples.at(-1)?.done !== done) {
    samples.push({ at, done });
    while (samples.length > 2 && (samples[1]?.at ?? at) < at - WINDOW_MS) samples.shift();
  }
  return pace(samples, of);
}
