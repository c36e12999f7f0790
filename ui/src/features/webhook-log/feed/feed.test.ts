import { expect, test } from "vitest";
import { Prng } from "../../../../tests/prng";
import { type FeedLimits, LogFeed } from "./LogFeed";
import { seq } from "./rows";
import { Sequence } from "./sequence";
import { row, TestClock, TestLog, turn } from "./testing";

const LIMITS: FeedLimits = { keep: 1_000, wait: 500, page: 10, anchorEvery: 20 };
const places = (feed: LogFeed) => feed.snapshot().rows.map(seq);
const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, n) => from - n);

async function begun(rows: number, filter = "", limits = LIMITS) {
  const [log, clock] = [new TestLog(), new TestClock()];
  log.record(rows);
  const feed = new LogFeed(log, { school: "sch_1", filter }, clock, limits);
  feed.start();
  const [tail] = log.tails;
  if (!tail) throw new Error("no tail was opened");
  tail.emit({ kind: "open" });
  log.tell(tail);
  await log.settle();
  return { log, clock, feed, tail };
}

test("the tail tells where the log ends before the first page is read", async () => {
  const [log, clock] = [new TestLog(), new TestClock()];
  log.record(25);
  const feed = new LogFeed(log, { school: "sch_1", filter: "" }, clock, LIMITS);
  feed.start();
  expect([log.calls, feed.snapshot().loading]).toEqual([0, "first"]);
  log.tell(log.tails[0] as never);
  expect(log.calls).toBe(1);
  log.record(3); // between the two
  await log.settle();
  log.tell(log.tails[0] as never);
  clock.pass(250);
  expect(places(feed)).toEqual(down(28, 19));
});

test("rows come to the list at most every 250 ms", async () => {
  const { log, clock, feed, tail } = await begun(5);
  let told = 0;
  feed.subscribe(() => {
    told += 1;
  });
  for (let n = 0; n < 40; n++) {
    log.record(1);
    log.tell(tail);
    clock.pass(25);
  }
  clock.pass(250);
  // A second of 40 rows: four or five times rows, once the rate.
  expect(told).toBeLessThanOrEqual(6);
  expect(places(feed)).toEqual(down(45, 1));
  expect(feed.snapshot().rate).toBeGreaterThan(0);
  clock.pass(20_000);
  expect(feed.snapshot().rate).toBe(0);
  const before = told;
  clock.pass(60_000);
  expect(told, "an idle tail costs nothing").toBe(before);
});

test("frozen, nothing moves; going on merges everything once", async () => {
  const { log, clock, feed, tail } = await begun(30);
  feed.pause();
  const before = feed.snapshot().rows;
  log.record(214);
  log.tell(tail, 100);
  log.tell(tail, 200);
  clock.pass(1_000);
  expect(feed.snapshot().rows).toBe(before);
  expect(feed.snapshot()).toMatchObject({ waiting: 214, frozen: true });
  feed.loadOlder();
  await log.settle();
  expect(places(feed)).toEqual(down(30, 11));
  feed.resume();
  expect(places(feed)).toEqual(down(244, 11));
  expect(feed.snapshot()).toMatchObject({ waiting: 0, frozen: false });
  expect(feed.snapshot().fresh.size).toBe(214);
  clock.pass(1_200);
  expect(feed.snapshot().fresh.size).toBe(0);
});

test("without a filter, a skipped number is a missed row, and it can be loaded", async () => {
  const { log, clock, feed, tail } = await begun(10);
  log.record(50);
  log.tell(tail, 500, (attempt) => seq(attempt) > 15 && seq(attempt) <= 46);
  clock.pass(250);
  expect(feed.snapshot().missed).toBe(31);
  feed.loadMissed();
  const fill = log.tails.at(-1);
  expect(fill?.request.afterLogSequence).toBe("15");
  log.tell(fill as never, 20);
  log.tell(fill as never, 20);
  expect(feed.snapshot()).toMatchObject({ missed: 0, gone: 0, loading: null });
  expect(places(feed)).toEqual(down(60, 1));
  expect(log.tails).toHaveLength(1);
});

test("rows lost at the end of an answer are missed too; those no longer kept are told", async () => {
  const { log, feed, tail } = await begun(10);
  log.record(10);
  log.tell(tail, 500, (attempt) => seq(attempt) > 18);
  expect(feed.snapshot().missed).toBe(0); // not shown yet
  expect(feed.cursor).toBe(20);
  log.log = log.log.filter((attempt) => seq(attempt) !== 19);
  feed.loadMissed();
  log.tell(log.tails.at(-1) as never);
  expect(feed.snapshot()).toMatchObject({ missed: 0, gone: 1 });
});

test("with a filter, rows that do not match are not missed", async () => {
  const { log, clock, feed, tail } = await begun(0, "status:failed");
  log.record(100, (n) => row(n, n % 10 === 0 ? { status: "parked", code: 503, cause: "http" } : {}));
  log.tell(tail, 4);
  log.tell(tail, 500);
  clock.pass(250);
  expect(feed.snapshot().missed).toBe(0);
  expect(places(feed)).toEqual([100, 90, 80, 70, 60, 50, 40, 30, 20, 10]);
  expect(feed.cursor).toBe(100);
});

test("a sequence knows a log that went back", () => {
  const sequence = new Sequence(true);
  expect([sequence.take([], 50), sequence.take([], 60), sequence.take([], 40)]).toEqual(["first", "next", "back"]);
});

test("a page that came before the tail spoke is read again", async () => {
  const [log, clock] = [new TestLog(), new TestClock()];
  log.record(10);
  const feed = new LogFeed(log, { school: "sch_1", filter: "" }, clock, LIMITS);
  feed.start();
  clock.pass(2_000);
  await log.settle();
  expect(places(feed)).toEqual(down(10, 1));
  log.record(2); // after the page, before the tail knows where the log ends
  log.tell(log.tails[0] as never);
  expect(places(feed), "what was there stays").toEqual(down(10, 1));
  await log.settle();
  expect(places(feed)).toEqual(down(12, 3));
});

test("a log that ends before the cursor is read anew, and not under the reader", async () => {
  const { log, clock, feed, tail } = await begun(10);
  feed.pause();
  log.log = log.log.slice(0, 4);
  const error = { code: "invalid_argument" as const, message: "the log ends at 4", violations: [] };
  tail.emit({
    kind: "error",
    error: { ...error, violations: [{ field: "after_log_sequence", message: "the log ends at 4" }] },
  });
  expect(places(feed)).toEqual(down(10, 1));
  feed.resume();
  log.tell(log.tails[0] as never);
  await log.settle();
  clock.pass(250);
  expect(places(feed)).toEqual(down(4, 1));
});

test("what waits too long is let go, and the list begins anew when it goes on", async () => {
  const { log, clock, feed, tail } = await begun(10, "", { ...LIMITS, wait: 50 });
  feed.pause();
  log.record(80);
  log.tell(tail, 60);
  log.tell(tail, 60);
  clock.pass(250);
  expect(feed.snapshot().waiting).toBe(80);
  expect(places(feed)).toEqual(down(10, 1));
  feed.resume();
  log.tell(log.tails[0] as never);
  await log.settle();
  expect(places(feed)).toEqual(down(90, 81));
  feed.loadOlder();
  await log.settle();
  expect(places(feed)).toEqual(down(90, 71));
});

test("a full list lets its oldest rows go and reads them again by their page", async () => {
  const { log, clock, feed, tail } = await begun(30, "", { ...LIMITS, keep: 100 });
  for (let n = 0; n < 30; n++) {
    log.record(10);
    log.tell(tail);
    clock.pass(500);
    await log.settle();
  }
  const held = places(feed);
  expect(held.length).toBeLessThanOrEqual(100);
  expect(held.length).toBeGreaterThan(60);
  expect(held).toEqual(down(330, 330 - held.length + 1));
  while (!feed.snapshot().full) {
    feed.loadOlder();
    await log.settle();
  }
  const oldest = places(feed).at(-1) as number;
  expect(places(feed)).toEqual(down(330, oldest));
  feed.continueOlder();
  await log.settle();
  expect(places(feed)).toEqual(down(oldest - 1, oldest - 10));
  log.record(1);
  log.tell(tail);
  clock.pass(250);
  expect(feed.snapshot()).toMatchObject({ frozen: true, waiting: 1 });
  feed.resume();
  log.tell(log.tails[0] as never);
  await log.settle();
  expect(places(feed)).toEqual(down(331, 322));
});

test("a first page that fails is told, and read once the server is back", async () => {
  const [log, clock] = [new TestLog(), new TestClock()];
  log.record(10);
  const feed = new LogFeed(log, { school: "sch_1", filter: "" }, clock, LIMITS);
  feed.start();
  const tail = log.tails[0] as never as { emit: (event: object) => void };
  tail.emit({ kind: "reconnecting", error: {} });
  log.asks.shift()?.fail();
  await turn();
  expect(feed.snapshot()).toMatchObject({
    error: { code: "unavailable" },
    loading: null,
    tail: { kind: "reconnecting" },
  });
  log.tell(log.tails[0] as never);
  await log.settle();
  expect(feed.snapshot()).toMatchObject({ error: null, tail: { kind: "live" } });
  expect(places(feed)).toEqual(down(10, 1));
});

/** Everything at random: rows, answers of the tail, pages late and failing, lost links, freezing, gaps. */
async function storm(seed: number) {
  const chance = new Prng(seed);
  const filter = chance.pick(["", "status:failed"]);
  const limits = { keep: chance.pick([40, 200, 1_000]), wait: chance.pick([15, 500]), page: 10, anchorEvery: 7 };
  const [log, clock] = [new TestLog(), new TestClock()];
  const make = (n: number) => row(n, chance.chance(0.4) ? { status: "parked" } : {});
  log.record(chance.int(0, 60), make);
  const feed = new LogFeed(log, { school: "sch_1", filter }, clock, limits);
  let frozen: number[] | null = null;
  const check = (what: string) => {
    const now = places(feed);
    const sorted = now.every((place, at) => at === 0 || place < (now[at - 1] as number));
    expect(sorted, `seed ${seed}, ${what}: newest first, none doubled`).toBe(true);
    if (frozen) expect(now.slice(0, frozen.length), `seed ${seed}, ${what}: nothing moved`).toEqual(frozen);
    frozen = feed.snapshot().frozen ? now : null;
  };
  feed.start();
  const loses = filter === "" && chance.chance(0.5);
  const acts: Record<string, () => void> = {
    record: () => log.record(chance.int(1, 8), make),
    tell: () => {
      const tail = log.tails[0];
      if (tail)
        log.tell(tail, chance.int(1, 10), (attempt) => loses && tail.cursor !== null && seq(attempt) % 11 === 3);
    },
    fill: () => {
      feed.loadMissed();
      if (log.tails[1]) log.tell(log.tails[1], 5);
    },
    answer: () => log.asks.splice(chance.int(0, Math.max(0, log.asks.length - 1)), 1)[0]?.answer(),
    fail: () => log.asks.shift()?.fail(),
    pass: () => clock.pass(chance.pick([50, 250, 2_500])),
    pause: () => feed.pause(),
    resume: () => {
      frozen = null;
      feed.resume();
    },
    older: () => feed.loadOlder(),
    further: () => {
      if (!feed.snapshot().full) return;
      frozen = null;
      feed.continueOlder();
    },
    lost: () =>
      log.tails[0]?.emit({ kind: "reconnecting", error: { code: "unavailable", message: "", violations: [] } }),
    back: () => log.tails[0]?.emit({ kind: "open" }),
    retry: () => feed.retry(),
  };
  const names = Object.keys(acts);
  for (let step = 0; step < 120; step++) {
    const name = chance.chance(0.5) ? chance.pick(["record", "tell", "answer", "pass"]) : chance.pick(names);
    acts[name]?.();
    await turn();
    check(`step ${step} ${name}`);
  }
  // The storm is over: everything answers, the reader goes on, gaps are loaded, older pages are read to the end.
  const settle = async () => {
    for (let n = 0; n < 6; n++) {
      for (const tail of [...log.tails]) for (let part = 0; part < 200; part++) log.tell(tail, 10);
      await log.settle();
      feed.retry();
      clock.pass(2_500);
      await log.settle();
    }
  };
  frozen = null;
  await settle();
  feed.resume();
  await settle();
  while (feed.snapshot().missed > 0) {
    feed.loadMissed();
    for (let part = 0; part < 200 && log.tails[1]; part++) log.tell(log.tails[1], 10);
    await settle();
  }
  while (feed.snapshot().more && !feed.snapshot().full) {
    feed.loadOlder();
    await log.settle();
  }
  const all = log.matching(filter).map(seq).reverse();
  const held = places(feed);
  expect(held, `seed ${seed}: every row once`).toEqual(all.slice(0, held.length));
  if (!feed.snapshot().full) expect(held.length, `seed ${seed}: down to the first row`).toBe(all.length);
  feed.stop();
}

test("whatever comes in whatever order, no row is lost or doubled and nothing moves under the reader", async () => {
  for (let seed = 1; seed <= 250; seed++) await storm(seed);
});
