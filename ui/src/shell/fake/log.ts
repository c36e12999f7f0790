import type { Attempt } from "@/gen/rollcall/provider/v1/log";
import { type Answers, refusal } from "./host";
import { histogramOf } from "./log/histogram";
import { messageOf } from "./log/message";
import { FakeLog } from "./log/school";

interface Options {
  /** Attempts of the last day. */
  rows?: number;
  /** New attempts a second while somebody looks. */
  rate?: number;
}

/** `#/webhook-logs/sch_1?rows=20000&rate=50` in a plain browser; in tests nothing happens by itself. */
function asked(): Required<Options> {
  const search = new URLSearchParams(globalThis.location?.hash.split("?")[1] ?? "");
  const number = (name: string, otherwise: number) => Number(search.get(name) ?? otherwise);
  return { rows: number("rows", 1_400), rate: number("rate", import.meta.env.MODE === "test" ? 0 : 0.8) };
}

const seedOf = (school: string) => [...school].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);

/** The delivery logs, one per school, and what the log window can do with them. */
export function logs(options: Options = {}) {
  const { rows, rate } = { ...asked(), ...options };
  const known = new Map<string, FakeLog>();
  const replays = new Map<string, { waiting: Map<string, ReturnType<typeof setTimeout>>; messages: number }>();
  const of = (school: string) => {
    const log = known.get(school) ?? new FakeLog(seedOf(school), rows, rate);
    known.set(school, log);
    return log;
  };
  const find = (message: string) => [...known].find(([, log]) => log.of(message).length > 0);
  const soon = (act: () => void) => setTimeout(act, rate === 0 ? 0 : 900);
  const answers: Pick<Answers, "calls" | "streams"> = {
    calls: {
      "LogService/ListAttempts": ({ school, filter, pageSize, pageToken }) => {
        const before = pageToken ? Number(pageToken) : Number.POSITIVE_INFINITY;
        const size = pageSize || 100;
        const found = of(school)
          .matching(filter ?? "")
          .filter((attempt) => Number(attempt.logSequence) < before);
        const attempts = found.slice(-size).reverse();
        const nextPageToken = found.length > size ? String(attempts.at(-1)?.logSequence) : "";
        return { attempts, nextPageToken, searchedUntil: undefined };
      },
      "LogService/GetMessage": async ({ message, revealBody }) => {
        const [school, log] = find(message) ?? [];
        const found = log && (await messageOf(log, message, school ?? "", !!revealBody));
        if (!found) throw refusal("not_found", "there is no such message");
        return found;
      },
      "LogService/ResendMessage": ({ message }) => {
        const [, log] = find(message) ?? [];
        const last = log?.of(message).at(-1);
        if (!log || !last) throw refusal("not_found", "there is no such message");
        if (last.eventType === "connection.test") {
          throw refusal("failed_precondition", "a test is not sent again: send a new test of the connection");
        }
        soon(() => log.again(message, "resend"));
        return { message, queuedAsTry: last.tryNumber + 1 };
      },
      "LogService/Replay": ({ school, filter, since, dryRun }) => {
        if (!filter && !since) {
          throw refusal("invalid_argument", "give a filter or a time: a replay of everything is not meant");
        }
        const log = of(school);
        const last = new Map<string, Attempt>();
        for (const attempt of log.attempts) last.set(attempt.messageId, attempt);
        const matching = new Set(log.matching(filter ?? "").map(({ logSequence }) => logSequence));
        const from = since ? Date.parse(since) : 0;
        const chosen = [...last.values()].filter(
          ({ logSequence, at, sequence }) =>
            matching.has(logSequence) && sequence !== "0" && Date.parse(at ?? "") >= from,
        );
        const refused = Math.floor(chosen.length / 40);
        const sent = chosen.slice(refused);
        const counted = { messages: String(sent.length), refused: String(refused), cancelled: false };
        if (dryRun || sent.length === 0) return { ...counted, replay: "" };
        const waiting = new Map<string, ReturnType<typeof setTimeout>>();
        sent.forEach(({ messageId }, index) => {
          const go = () => {
            waiting.delete(messageId);
            log.again(messageId, "replay");
          };
          waiting.set(messageId, setTimeout(go, rate === 0 ? 0 : 400 + index * 25));
        });
        const replay = String(replays.size + 1).padStart(32, "0");
        replays.set(replay, { waiting, messages: sent.length });
        return { ...counted, replay };
      },
      "LogService/CancelReplay": ({ replay }) => {
        const found = replays.get(replay);
        if (!found) throw refusal("not_found", "there is no such replay of this school");
        const restored = found.waiting.size;
        found.waiting.forEach(clearTimeout);
        found.waiting.clear();
        return { replay, restored: String(restored), begun: String(found.messages - restored) };
      },
      "LogService/GetHistogram": (request) => histogramOf(of(request.school), request),
    },
    streams: {
      "LogService/TailAttempts": (request, emit) => of(request.school).tail(request, emit),
    },
  };
  return { answers, of };
}

export const log = (): Pick<Answers, "calls" | "streams"> => logs().answers;
