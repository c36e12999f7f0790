import type {
  DiscardMessagesRequest,
  ListAttemptsRequest,
  ListMessagesRequest,
  ListUndeliveredRequest,
  Message,
  MessageGroup,
  ReplayRequest,
  UndeliveredGroup,
} from "@/gen/rollcall/provider/v1/log";
import { type Answers, refusal } from "./host";
import { ago, districtOf, HOUR, idOf, MINUTE, SCHOOLS, schoolOf } from "./seed";

type Seed = [
  school: number,
  state: string,
  reason: string,
  cause: string,
  code: number,
  messages: number,
  oldest: number,
  newest: number,
  why: string,
];

const SEEDS: Seed[] = [
  [
    2,
    "parked",
    "connection_down",
    "",
    0,
    212,
    7 * HOUR,
    4 * MINUTE,
    "The school's system refused the connection: nothing listens there, or a firewall says no.",
  ],
  [
    7,
    "held",
    "gone",
    "gone",
    410,
    37,
    3 * HOUR,
    20 * MINUTE,
    "The school's system answered 410 Gone: deliveries are kept until you resume the connection.",
  ],
  [
    4,
    "pending",
    "",
    "timeout",
    0,
    11,
    52 * MINUTE,
    MINUTE,
    "The school's system was too slow: it did not answer in time. It should answer first and work later.",
  ],
  [
    2,
    "pending",
    "",
    "connect",
    0,
    5,
    7.2 * HOUR,
    7.1 * HOUR,
    "The school's system refused the connection: nothing listens there, or a firewall says no.",
  ],
  [
    1,
    "parked",
    "exhausted",
    "http",
    503,
    2,
    5 * HOUR,
    4.6 * HOUR,
    "The school's system failed (503): its log should say why. It is tried again.",
  ],
  [
    1,
    "pending",
    "",
    "http",
    503,
    2,
    18 * MINUTE,
    6 * MINUTE,
    "The school's system failed (503): its log should say why. It is tried again.",
  ],
  [
    1,
    "parked",
    "exhausted",
    "http",
    413,
    1,
    8 * HOUR,
    8 * HOUR,
    "The message is too large for the school's system (413): raise its limit to 256 KiB.",
  ],
];

const STATUS: Record<string, string> = { pending: "status:retrying", parked: "status:parked", held: "status:held" };

/** Messages that could not be delivered, in groups; a discard can be taken back. */
export function undelivered(log: Answers["calls"] = {}): Pick<Answers, "calls" | "streams"> {
  let groups = SEEDS.map(toGroup);
  const discarded = new Map<string, UndeliveredGroup>();
  const same = (a: MessageGroup | undefined, b: MessageGroup | undefined) => JSON.stringify(a) === JSON.stringify(b);
  const find = (school: string, group: MessageGroup | undefined) =>
    groups.find((one) => one.schoolId === schoolOf(school)?.id && same(one.group, group));
  return {
    calls: {
      "LogService/ListUndelivered": ({ district, school }: ListUndeliveredRequest) => {
        const inDistrict = districtOf(district)?.id;
        const shown = groups.filter(({ schoolId }) => {
          const of = schoolOf(schoolId);
          return (!school || of?.id === schoolOf(school)?.id) && (!inDistrict || of?.districtId === inDistrict);
        });
        return { groups: shown, nextPageToken: "" };
      },
      "LogService/ListMessages": ({ school, states, pageSize, pageToken }: ListMessagesRequest) => {
        const of = groups.filter(
          ({ schoolId, group }) => schoolId === schoolOf(school)?.id && states.includes(group?.state ?? ""),
        );
        const all = of.flatMap(messagesOf);
        const from = Number(pageToken || 0);
        const next = from + (pageSize || 100);
        return { messages: all.slice(from, next), nextPageToken: next < all.length ? String(next) : "" };
      },
      "LogService/ListAttempts": (request: ListAttemptsRequest) => {
        const { school, filter } = request;
        const found = groups.find(
          ({ schoolId, group }) =>
            schoolId === schoolOf(school)?.id &&
            group?.cause &&
            filter?.includes(`cause:${group.cause}`) &&
            (group.code === 0 || filter.includes(`code:${group.code}`)) &&
            filter.includes(STATUS[group.state] ?? "–"),
        );
        if (!found) return log["LogService/ListAttempts"]?.(request);
        const attempts = messagesOf(found).map(({ id, createdAt }) => ({ messageId: id, at: createdAt }));
        return { attempts, nextPageToken: "", searchedUntil: undefined };
      },
      "LogService/Replay": (request: ReplayRequest) => {
        const { school, group, dryRun } = request;
        if (!group) return log["LogService/Replay"]?.(request);
        const found = find(school, group);
        if (!found) return { messages: "0", refused: "0" };
        const refused = Math.floor(Number(found.messages) / 60);
        if (!dryRun) groups = groups.filter((one) => one !== found);
        return { messages: String(Number(found.messages) - refused), refused: String(refused) };
      },
      "LogService/DiscardMessages": ({ school, group, reason, messages }: DiscardMessagesRequest) => {
        if (!reason.trim()) {
          const violations = [{ field: "reason", message: "is required" }];
          throw refusal("invalid_argument", "a discard needs a reason", { violations });
        }
        const found = group && find(school, group);
        if (found) groups = groups.filter((one) => one !== found);
        const undo = `undo-${discarded.size + 1}`;
        if (found) discarded.set(undo, found);
        const undoUntil = new Date(Date.now() + 10 * MINUTE).toISOString();
        return { discarded: found?.messages ?? String(messages?.length ?? 0), undo, undoUntil };
      },
      "LogService/UndoDiscard": ({ undo }: { undo: string }) => {
        const back = discarded.get(undo);
        if (back) groups = [back, ...groups];
        discarded.delete(undo);
        return { restored: back?.messages ?? "0", superseded: "0" };
      },
      "LogService/ResendMessage": (request: { message: string }) =>
        groups.flatMap(messagesOf).some(({ id }) => id === request.message)
          ? { message: request.message, queuedAsTry: 6 }
          : log["LogService/ResendMessage"]?.(request),
    },
    streams: {},
  };
}

function toGroup([school, state, reason, cause, code, messages, oldest, newest, explanation]: Seed, index: number) {
  const { id = "", name = "" } = SCHOOLS[school] ?? {};
  const group: UndeliveredGroup = {
    schoolId: id,
    schoolName: name,
    group: { state, reason, cause, code },
    messages: String(messages),
    more: false,
    firstAt: ago(oldest),
    lastAt: ago(newest),
    sampleMessage: idOf("evt", 9_000_000 + index * 2_000),
    cause: reason === "connection_down" ? "connect" : cause,
    code,
    explanation,
  };
  return group;
}

/** Its messages, newest first, at most 300 of them. */
function messagesOf({ schoolId, group, messages, firstAt, lastAt, sampleMessage }: UndeliveredGroup): Message[] {
  const count = Math.min(300, Number(messages));
  const [first, last] = [new Date(firstAt ?? 0).getTime(), new Date(lastAt ?? 0).getTime()];
  const number = Number(sampleMessage.slice(-9));
  return Array.from({ length: count }, (_, index) => ({
    id: idOf("evt", number + count - 1 - index),
    schoolId,
    eventType: ["student.updated", "student.updated", "student.enrolled", "student.withdrawn"][index % 4] ?? "",
    sequence: String(4_210 - index),
    studentId: idOf("stu", 300 + index),
    studentSourcedId: `S-${20_001 + ((index * 35) % 2_200)}`,
    state: group?.state ?? "parked",
    reason: group?.reason ?? "",
    createdAt: new Date(last - ((last - first) * index) / Math.max(1, count - 1)).toISOString(),
    nextAttemptAt: undefined,
    body: "",
    bodyBytes: 812,
    bodySha256: "",
    requestHeaders: [],
    attempts: [],
    changeId: idOf("chg", 700 + index),
    tries: group?.reason === "connection_down" ? 0 : 5,
    bodyPurged: false,
  }));
}
