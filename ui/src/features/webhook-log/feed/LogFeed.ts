import type { Attempt, ListAttemptsResponse, TailAttemptsResponse } from "@/gen/rollcall/provider/v1/log";
import type { Host, ShellFailure, Stop, StreamEvent } from "@/shell/host";
import { type Clock, Rate, realClock } from "./clock";
import { type Limits, LogRows, seq } from "./rows";
import { type Missed, Sequence } from "./sequence";

const LIST = "LogService/ListAttempts";
const TAIL = "LogService/TailAttempts";
/** WebKitGTK paints a long list calmly at this pace; frame by frame it stutters. */
const FLUSH_MS = 250;
/** A row is tinted so long. No fade: without a graphics card each of its frames would draw the rows anew. */
const TINT_MS = 1_200;
/** A tail that says nothing for so long does not keep the first page waiting. */
const SILENCE_MS = 2_000;

export interface FeedLimits extends Limits {
  page: number;
  /** Rows of the tail after which a place to read on from is asked for. */
  anchorEvery: number;
}
export const LIMITS: FeedLimits = { keep: 50_000, wait: 20_000, page: 200, anchorEvery: 5_000 };

export type TailState =
  | { kind: "opening" }
  | { kind: "live" }
  | { kind: "reconnecting" }
  /** Nothing is tried any more. */
  | { kind: "off"; error: ShellFailure };

/** What a log window shows. A new object for every change. */
export interface LogView {
  rows: readonly Attempt[];
  /** Rows that came just now, by log sequence. */
  fresh: ReadonlySet<string>;
  waiting: number;
  frozen: boolean;
  tail: TailState;
  /** New rows a second. */
  rate: number;
  missed: number;
  /** Missed rows that were looked for and are no longer kept. */
  gone: number;
  loading: "first" | "older" | "missed" | null;
  /** Why the page that was asked for last did not come. */
  error: ShellFailure | null;
  /** Older rows exist, or may. */
  more: boolean;
  /** The last page ended early: everything newer was searched. */
  searchedUntil: string | null;
  /** So many are held that older ones take their place. */
  full: boolean;
  /** When the server last said something; 0: never. */
  asOf: number;
}

/**
 * One school's log under one filter: pages of what was, and a tail of what comes, as one list without a lost or doubled
 * row. The tail opens first and says where the log ends; pages are read after that, so nothing falls between the two.
 */
export class LogFeed {
  private rows: LogRows;
  private sequence: Sequence;
  private rate: Rate;
  private tail: TailState = { kind: "opening" };
  private view: LogView;
  private listeners = new Set<() => void>();
  private stopTail: Stop | null = null;
  private stopFill: Stop | null = null;
  private timers = new Map<string, Stop>();
  /** Answers to an earlier beginning are not listened to. */
  private beginning = 0;
  /** Whether the first page was asked for, and whether before the tail said where the log ends. */
  private listed: "no" | "blind" | "sure" = "no";
  private loading: LogView["loading"] = "first";
  private error: ShellFailure | null = null;
  private searchedUntil: string | null = null;
  /** Kept in sight until the first page is there. */
  private before: LogRows | null = null;
  private fresh: ReadonlySet<string> = new Set();
  private sinceAnchor = 0;
  private gone = 0;
  private asOf = 0;

  constructor(
    private readonly host: Pick<Host, "call" | "openStream">,
    private readonly request: { school: string; filter: string },
    private readonly clock: Clock = realClock,
    private readonly limits: FeedLimits = LIMITS,
  ) {
    this.rows = new LogRows(limits);
    this.sequence = new Sequence(request.filter !== "");
    this.rate = new Rate(clock);
    this.view = this.look();
  }

  readonly subscribe = (listener: () => void): Stop => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = () => this.view;

  /** Everything up to here was told by the tail; for streams that look for what comes next. */
  get cursor(): number | null {
    return this.sequence.cursor;
  }

  start() {
    this.begin();
  }

  stop() {
    this.beginning += 1;
    this.stopTail?.();
    this.stopFill?.();
    for (const stop of this.timers.values()) stop();
    this.timers.clear();
  }

  pause() {
    if (this.rows.frozen) return;
    if (this.before) {
      // What is in sight stays, and is read anew once the reader goes on.
      this.rows = this.before;
      this.before = null;
      this.rows.detach();
      this.loading = null;
    }
    this.rows.freeze();
    this.publish();
  }

  resume() {
    if (!this.rows.frozen) return;
    if (this.rows.thaw()) this.flush();
    else this.begin();
  }

  loadOlder() {
    if (this.loading || this.rows.next === null || this.full) return;
    if (this.rows.next === "") this.list();
    else void this.load("older", this.rows.next);
  }

  /** Where the list is full: older rows take the place of those shown. */
  continueOlder() {
    if (this.loading || this.rows.next === null) return;
    this.rows.dropShown();
    void this.load("older", this.rows.next);
  }

  /** Asks again for the page that did not come, and for the tail where it ended. */
  retry() {
    if (this.tail.kind === "off") this.openTail();
    if (this.error) {
      this.error = null;
      this.loadOlder();
    }
    this.publish();
  }

  /** Looks for the rows that the tail left out. */
  loadMissed() {
    const looked = this.sequence.missed.slice();
    const [first, last] = [looked[0], looked.at(-1)];
    if (!first || !last || this.stopFill) return;
    this.loading ??= "missed";
    let found = 0;
    const finish = (error: ShellFailure | null) => {
      this.stopFill?.();
      this.stopFill = null;
      this.error = error;
      if (this.loading === "missed") this.loading = null;
      this.flush();
    };
    const request = { ...this.request, afterLogSequence: String(first.from - 1) };
    this.stopFill = this.host.openStream(TAIL, request, (event) => {
      if (event.kind === "error") return finish(event.error);
      if (event.kind === "end") return finish(ENDED);
      if (event.kind !== "message") return;
      const { attempts, logSequence } = event.message as TailAttemptsResponse;
      const inside = attempts.filter((row) => isIn(looked, seq(row)));
      found += inside.length;
      this.rows.addNew(inside);
      if (Number(logSequence) < last.to) return;
      this.gone = this.sequence.settle(looked) - found;
      finish(null);
    });
    this.publish();
  }

  private get full() {
    return this.rows.shown.length >= this.limits.keep;
  }

  private begin() {
    this.stop();
    if (this.rows.shown.length > 0) this.before = this.rows;
    this.rows = new LogRows(this.limits);
    this.sequence = new Sequence(this.request.filter !== "");
    this.stopFill = null;
    this.listed = "no";
    this.loading = "first";
    this.error = null;
    this.searchedUntil = null;
    this.fresh = new Set();
    this.sinceAnchor = 0;
    this.gone = 0;
    this.openTail();
    this.after("silence", SILENCE_MS, () => this.list());
    this.publish();
  }

  private openTail() {
    this.stopTail?.();
    const { beginning } = this;
    const { cursor } = this.sequence;
    this.tail = { kind: "opening" };
    const request = cursor === null ? this.request : { ...this.request, afterLogSequence: String(cursor) };
    this.stopTail = this.host.openStream(TAIL, request, (event) => {
      if (beginning === this.beginning) this.onTail(event);
    });
  }

  private onTail(event: StreamEvent) {
    if (event.kind === "message") return this.onRows(event.message as TailAttemptsResponse);
    if (event.kind === "open") {
      this.tail = { kind: "live" };
      this.asOf = this.clock.now();
    } else if (event.kind === "reconnecting") {
      this.tail = { kind: "reconnecting" };
      this.list();
    } else {
      const error = event.kind === "error" ? event.error : ENDED;
      // The log ends before our cursor: it is not the log that we read.
      if (error.violations.some(({ field }) => field === "after_log_sequence")) return this.startOver();
      this.tail = { kind: "off", error };
      this.list();
    }
    this.publish();
  }

  private onRows({ attempts, logSequence }: TailAttemptsResponse) {
    this.asOf = this.clock.now();
    this.tail = { kind: "live" };
    const taken = this.sequence.take(attempts, Number(logSequence));
    if (taken === "back") return this.startOver();
    if (taken === "first" && this.listed === "blind") this.listAnew();
    this.rate.add(this.rows.addNew(attempts));
    this.sinceAnchor += attempts.length;
    this.list();
    this.after("flush", FLUSH_MS, () => this.flush(), false);
  }

  /** Another log: what is read stays in sight, and is read again once the reader goes on. */
  private startOver() {
    if (this.rows.frozen) {
      this.rows.detach();
      this.sequence = new Sequence(this.request.filter !== "");
      this.openTail();
      this.publish();
    } else this.begin();
  }

  /** The page came before the tail said where the log ends: rows between the two may be missing. */
  private listAnew() {
    if (this.rows.frozen) return this.rows.detach();
    if (this.rows.shown.length > 0) this.before = this.rows;
    this.rows = new LogRows(this.limits);
    this.listed = "no";
    this.loading = null;
  }

  private list() {
    if (this.listed !== "no") return;
    this.timers.get("silence")?.();
    this.listed = this.sequence.cursor === null ? "blind" : "sure";
    void this.load("first", "");
  }

  private async load(kind: "first" | "older", pageToken: string) {
    const { beginning, rows } = this;
    this.loading = kind;
    this.error = null;
    this.publish();
    try {
      const request = { ...this.request, pageSize: this.limits.page, pageToken };
      const page = (await this.host.call(LIST, request)) as ListAttemptsResponse;
      if (beginning !== this.beginning || rows !== this.rows) return;
      this.asOf = this.clock.now();
      this.before = null;
      rows.addPage(pageToken, page.attempts, page.nextPageToken);
      this.searchedUntil = page.searchedUntil ?? null;
    } catch (error) {
      if (beginning !== this.beginning || rows !== this.rows) return;
      this.error = error as ShellFailure;
      if (kind === "first") this.listed = "no";
    }
    this.loading = null;
    this.flush(false);
  }

  private flush(tint = true) {
    const came = this.loading === "first" ? [] : this.rows.flush();
    if (tint && came.length > 0) {
      this.fresh = new Set(came);
      this.after("tint", TINT_MS, () => {
        this.fresh = new Set();
        this.publish();
      });
    }
    if (this.sinceAnchor >= this.limits.anchorEvery) void this.askAnchor();
    this.publish();
    this.followRate();
  }

  /** The rate falls by itself; once it is 0, nothing runs. */
  private followRate() {
    if (this.view.rate === 0) return;
    this.after("rate", 1_000, () => {
      this.publish();
      this.followRate();
    });
  }

  private async askAnchor() {
    const { rows } = this;
    this.sinceAnchor = 0;
    try {
      const request = { ...this.request, pageSize: 1, pageToken: "" };
      const { attempts, nextPageToken } = (await this.host.call(LIST, request)) as ListAttemptsResponse;
      if (attempts[0] && nextPageToken && rows === this.rows) rows.addAnchor(seq(attempts[0]), nextPageToken);
    } catch {
      // Asked again after the next rows; until then more are held.
    }
  }

  /** One timer of each name. A later call starts it anew, or leaves the running one. */
  private after(name: string, ms: number, act: () => void, anew = true) {
    if (this.timers.has(name) && !anew) return;
    this.timers.get(name)?.();
    const stop = this.clock.later(ms, () => {
      this.timers.delete(name);
      act();
    });
    this.timers.set(name, stop);
  }

  private look(): LogView {
    const { rows } = this;
    return {
      rows: this.before?.shown ?? rows.shown,
      fresh: this.fresh,
      waiting: rows.waiting,
      frozen: rows.frozen,
      tail: this.tail,
      rate: this.rate.perSecond,
      missed: this.sequence.missedRows,
      gone: this.gone,
      loading: this.loading,
      error: this.error,
      more: rows.next !== null,
      searchedUntil: this.searchedUntil,
      full: this.full,
      asOf: this.asOf,
    };
  }

  private publish() {
    this.view = this.look();
    for (const listener of this.listeners) listener();
  }
}

const isIn = (ranges: readonly Missed[], place: number) => ranges.some(({ from, to }) => place >= from && place <= to);

const ENDED: ShellFailure = { code: "unavailable", message: "the server ended the stream", violations: [] };
