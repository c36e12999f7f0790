import type { Attempt } from "@/gen/rollcall/provider/v1/log";

/** An attempt's place in its school's log. */
export const seq = (row: Attempt) => Number(row.logSequence);

/** Older rows than `below` are the page of this token. */
interface Anchor {
  below: number;
  token: string;
}

export interface Limits {
  /** Rows held at most while live; what is older is read again by its page. */
  keep: number;
  /** New rows held at most while frozen; beyond, the list begins anew when it goes on. */
  wait: number;
}

/**
 * The rows of one log window, newest first, each once. Older pages come at the end; new rows wait and come on top only
 * by {@link flush}, which does nothing while the list is frozen: nothing moves under the reader.
 */
export class LogRows {
  shown: readonly Attempt[] = [];
  /** The token of the next older page; "" before the first, `null` after the last. */
  next: string | null = "";
  frozen = false;
  /** Rows above those shown were let go: the list begins anew when it goes on. */
  detached = false;
  private keys = new Set<string>();
  private held = new Map<string, Attempt>();
  private counted = 0;
  private anchors: Anchor[] = [];

  constructor(private readonly limits: Limits) {}

  /** New rows that wait. */
  get waiting(): number {
    return this.detached ? this.counted : this.held.size;
  }

  /** Takes rows of the tail; answers how many were new. */
  addNew(rows: readonly Attempt[]): number {
    const end = this.shown.at(-1);
    // What is older than the list comes by its page.
    const isPaged = (row: Attempt) => !!this.next && !!end && seq(row) < seq(end);
    const isKnown = ({ logSequence }: Attempt) => this.keys.has(logSequence) || this.held.has(logSequence);
    const fresh = rows.filter((row) => !isKnown(row) && !isPaged(row));
    if (this.detached) this.counted += fresh.length;
    else for (const row of fresh) this.held.set(row.logSequence, row);
    if (this.frozen && this.held.size > this.limits.wait) this.detach();
    return fresh.length;
  }

  /** Takes the page of `token`; one that is no longer the next is ignored. */
  addPage(token: string, rows: readonly Attempt[], next: string): boolean {
    if (token !== this.next) return false;
    this.next = next || null;
    const end = this.shown.at(-1);
    const fresh = rows.filter(({ logSequence }) => !this.keys.has(logSequence));
    const older = end ? fresh.filter((row) => seq(row) < seq(end)) : fresh;
    for (const row of fresh) this.held.delete(row.logSequence);
    if (older.length < fresh.length) this.addNew(fresh.filter((row) => end && seq(row) > seq(end)));
    if (older.length > 0) {
      this.shown = [...this.shown, ...older];
      for (const row of older) this.keys.add(row.logSequence);
    }
    const last = rows.at(-1);
    if (last && next) this.addAnchor(seq(last), next);
    return true;
  }

  /** From where on older rows can be read again. */
  addAnchor(below: number, token: string) {
    this.anchors = [...this.anchors, { below, token }].sort((a, b) => b.below - a.below);
  }

  /** Brings the waiting rows in and answers their keys; none while frozen. */
  flush(): string[] {
    if (this.frozen || this.held.size === 0) return [];
    const rows = [...this.held.values()].sort((a, b) => seq(b) - seq(a));
    this.held.clear();
    this.shown = merge(rows, this.shown);
    for (const row of rows) this.keys.add(row.logSequence);
    this.trim();
    return rows.map(({ logSequence }) => logSequence);
  }

  freeze() {
    this.frozen = true;
  }

  /** The list goes on. `false`: it has to begin anew. */
  thaw(): boolean {
    if (this.detached) return false;
    this.frozen = false;
    return true;
  }

  /** Lets the waiting rows go and only counts on. */
  detach() {
    if (this.detached) return;
    this.counted = this.held.size;
    this.held.clear();
    this.detached = true;
    this.frozen = true;
  }

  /** Lets the shown rows go, to make room for older ones. */
  dropShown() {
    this.detach();
    this.shown = [];
    this.keys.clear();
    this.anchors = [];
  }

  /** Cuts what is too much at a place from where it can be read again. */
  private trim() {
    if (this.shown.length <= this.limits.keep) return;
    const count = (below: number) => firstBelow(this.shown, below);
    const at = this.anchors.findLast(({ below }) => count(below) <= this.limits.keep);
    if (!at) return;
    for (const row of this.shown.slice(count(at.below))) this.keys.delete(row.logSequence);
    this.shown = this.shown.slice(0, count(at.below));
    this.next = at.token;
    this.anchors = this.anchors.filter(({ below }) => below >= at.below);
  }
}

/** The index of the first row older than `below`, in rows that are newest first. */
function firstBelow(rows: readonly Attempt[], below: number): number {
  let [from, to] = [0, rows.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (seq(rows[middle] as Attempt) < below) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** Both newest first, without common rows. */
function merge(fresh: readonly Attempt[], known: readonly Attempt[]): Attempt[] {
  const [oldest, newest] = [fresh.at(-1), known[0]];
  if (!oldest || !newest || seq(oldest) > seq(newest)) return [...fresh, ...known];
  const merged: Attempt[] = [];
  let [a, b] = [0, 0];
  while (a < fresh.length || b < known.length) {
    const [x, y] = [fresh[a], known[b]];
    if (x && (!y || seq(x) > seq(y))) {
      merged.push(x);
      a += 1;
    } else {
      merged.push(y as Attempt);
      b += 1;
    }
  }
  return merged;
}
