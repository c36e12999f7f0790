import type { Stop } from "@/shell/host";

/** Time, so that tests can turn it. */
export interface Clock {
  now(): number;
  later(ms: number, act: () => void): Stop;
}

export const realClock: Clock = {
  now: () => Date.now(),
  later: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

const SECONDS = 5;

/** Rows a second, over the last five. */
export class Rate {
  private counts = new Map<number, number>();

  constructor(private readonly clock: Clock) {}

  add(rows: number) {
    const second = Math.floor(this.clock.now() / 1_000);
    this.counts.set(second, (this.counts.get(second) ?? 0) + rows);
  }

  get perSecond(): number {
    const second = Math.floor(this.clock.now() / 1_000);
    let rows = 0;
    for (const [at, count] of this.counts) {
      if (at <= second - SECONDS) this.counts.delete(at);
      else rows += count;
    }
    return rows / SECONDS;
  }
}
