import { matches, parseFilter } from "@/api/logFilter";
import type { Attempt, ListAttemptsRequest, TailAttemptsRequest } from "@/gen/rollcall/provider/v1/log";
import { refusal } from "@/shell/fake/host";
import type { Stop, StreamEvent } from "@/shell/host";
import type { Clock } from "./clock";
import { seq } from "./rows";

/** Time that moves when it is told to. */
export class TestClock implements Clock {
  private at = 1_795_600_000_000;
  private waiting: { at: number; act: () => void }[] = [];

  now = () => this.at;

  later(ms: number, act: () => void): Stop {
    const entry = { at: this.at + ms, act };
    this.waiting.push(entry);
    return () => {
      this.waiting = this.waiting.filter((other) => other !== entry);
    };
  }

  pass(ms: number) {
    const end = this.at + ms;
    for (;;) {
      const due = this.waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.waiting = this.waiting.filter((other) => other !== due);
      this.at = due.at;
      due.act();
    }
    this.at = end;
  }
}

export function row(sequence: number, more: Partial<Attempt> = {}): Attempt {
  return {
    logSequence: String(sequence),
    messageId: `evt_01KB${String(sequence).padStart(22, "0")}`,
    eventType: "student.updated",
    sequence: String(sequence),
    studentId: "",
    studentSourcedId: `S-${sequence}`,
    at: new Date(1_795_600_000_000 + sequence * 1_000).toISOString(),
    trigger: "automatic",
    tryNumber: 1,
    maxTries: 5,
    status: "delivered",
    cause: "",
    code: 204,
    latencyUs: 40_000,
    firstByteUs: 38_000,
    requestBytes: 900,
    responseBytes: 0,
    nextAttemptAt: undefined,
    explanation: "",
    clockSkewS: 0,
    ...more,
  };
}

interface Tail {
  request: TailAttemptsRequest;
  emit: (event: StreamEvent) => void;
  /** As the shell knows it: where it resumes. */
  cursor: number | null;
  open: boolean;
}

interface Ask {
  answer: () => void;
  fail: () => void;
}

/** A log, its pages and its tails, where every answer comes when the test says so. */
export class TestLog {
  log: Attempt[] = [];
  tails: Tail[] = [];
  asks: Ask[] = [];
  calls = 0;

  record(count: number, make: (sequence: number) => Attempt = (sequence) => row(sequence)) {
    for (let n = 0; n < count; n++) this.log.push(make(this.head + 1));
  }

  get head() {
    const last = this.log.at(-1);
    return last ? seq(last) : 0;
  }

  matching(filter: string): Attempt[] {
    const parsed = parseFilter(filter);
    if (!parsed.ok) throw new Error(filter);
    return this.log.filter((attempt) => matches(parsed.filter, attempt, 0));
  }

  call = (_: string, asked: object): Promise<unknown> => {
    this.calls += 1;
    const request = asked as ListAttemptsRequest;
    return new Promise((resolve, reject) => {
      const answer = () => {
        const before = request.pageToken ? Number(request.pageToken) : Number.POSITIVE_INFINITY;
        const all = this.matching(request.filter)
          .filter((attempt) => seq(attempt) < before)
          .reverse();
        const attempts = all.slice(0, request.pageSize);
        const nextPageToken = all.length > attempts.length ? String(attempts.at(-1)?.logSequence) : "";
        resolve({ attempts, nextPageToken, searchedUntil: undefined });
      };
      this.asks.push({ answer, fail: () => reject(refusal("unavailable", "the server is away")) });
    });
  };

  openStream = (_: string, asked: object, emit: (event: StreamEvent) => void): Stop => {
    const request = asked as TailAttemptsRequest;
    const cursor = request.afterLogSequence === undefined ? null : Number(request.afterLogSequence);
    const tail: Tail = { request, emit, cursor, open: true };
    this.tails.push(tail);
    return () => {
      this.tails = this.tails.filter((other) => other !== tail);
      tail.open = false;
    };
  };

  /** A tail tells up to `most` rows. `lose` leaves some out, as no server does. */
  tell(tail: Tail, most = 500, lose: (row: Attempt) => boolean = () => false) {
    if (!tail.open) return;
    const after = tail.cursor ?? this.head;
    const found = this.matching(tail.request.filter).filter((attempt) => seq(attempt) > after);
    const attempts = found.slice(0, most);
    const logSequence = found.length > most ? seq(attempts.at(-1) as Attempt) : this.head;
    if (tail.cursor !== null && attempts.length === 0 && logSequence === tail.cursor) return;
    tail.cursor = logSequence;
    const message = { attempts: attempts.filter((attempt) => !lose(attempt)), logSequence: String(logSequence) };
    tail.emit({ kind: "message", message });
  }

  /** Answers everything that was asked. */
  async settle() {
    while (this.asks.length > 0) {
      this.asks.shift()?.answer();
      await turn();
    }
  }
}

/** Lets promises that are settled be heard. */
export async function turn() {
  for (let n = 0; n < 8; n++) await Promise.resolve();
}
