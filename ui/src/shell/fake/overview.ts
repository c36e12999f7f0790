import type { AttentionItem, DayFigures, Overview, SchoolStrip } from "@/gen/rollcall/provider/v1/log";
import type { FakeSchool, FakeWorld } from "./district";
import type { Answers } from "./host";
import { ago, HOUR, idOf } from "./seed";

const URGENCY = [
  "CONNECTION_STATE_COMPROMISED",
  "CONNECTION_STATE_DOWN",
  "CONNECTION_STATE_HELD",
  "CONNECTION_STATE_REVOKED",
  "CONNECTION_STATE_FAILING",
  "CONNECTION_STATE_PAUSED",
  "CONNECTION_STATE_ENROLLING",
  "CONNECTION_STATE_NOT_CONNECTED",
  "CONNECTION_STATE_ACTIVE",
];

function strip({ school, deliveredByHour, failedByHour }: FakeSchool): SchoolStrip {
  const { id, name, districtId, connection, figures } = school;
  return {
    schoolId: id,
    schoolName: name,
    districtId,
    state: connection?.state ?? "CONNECTION_STATE_NOT_CONNECTED",
    deliveredByHour,
    failedByHour,
    pending: figures?.pending ?? "0",
    parked: figures?.parked ?? "0",
    held: figures?.held ?? "0",
    lastDeliveredAt: connection?.lastDeliveredAt,
  };
}

function item(kind: string, severity: string, of: SchoolStrip, message: string, more: Partial<AttentionItem> = {}) {
  const { schoolId, schoolName, districtId } = of;
  return {
    kind,
    severity,
    schoolId,
    schoolName,
    districtId,
    runId: "",
    messageId: "",
    count: "0",
    since: ago(3 * HOUR),
    message,
    ...more,
  };
}

/** What a school's state asks of a person. */
function attention(of: SchoolStrip): AttentionItem[] {
  const name = of.schoolName;
  const waiting = Number(of.pending) + Number(of.parked) + Number(of.held);
  const waits = waiting === 0 ? "no message waits" : `${waiting} messages wait`;
  switch (of.state) {
    case "CONNECTION_STATE_COMPROMISED":
      return [
        item(
          "enrollment_compromised",
          "urgent",
          of,
          `The enrollment code of ${name} was used a second time, by somebody else, and everything of it was destroyed: find out how it leaked, then issue a new code.`,
        ),
      ];
    case "CONNECTION_STATE_DOWN":
      return [
        item("connection_down", "urgent", of, `Nothing reaches ${name}; ${waits}. Its last failure says what to do.`),
      ];
    case "CONNECTION_STATE_HELD":
      return [
        item(
          "connection_held",
          "urgent",
          of,
          `The system of ${name} answered 410 Gone; ${waits} until you resume the connection.`,
        ),
      ];
    case "CONNECTION_STATE_REVOKED":
      return [
        item(
          "secret_revoked",
          "urgent",
          of,
          `${name} has no secret in force; ${waits}. Issue a code, or rotate the secret.`,
        ),
      ];
    case "CONNECTION_STATE_FAILING":
      return [
        item(
          "connection_failing",
          "warning",
          of,
          `The last messages to ${name} failed; one is tried at a time, ${waits}.`,
        ),
      ];
    case "CONNECTION_STATE_PAUSED":
      return [item("paused", "notice", of, `${name} is paused; ${waits}.`)];
    default:
      if (of.parked === "0") return [];
      return [
        item(
          "parked",
          "warning",
          of,
          `${of.parked} messages to ${name} could not be delivered in all tries, while others are: resend or discard.`,
          { count: of.parked },
        ),
      ];
  }
}

const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);

function day(strips: SchoolStrip[], scale: number, latencyP95Us: number): DayFigures {
  const delivered = Math.round(sum(strips.map((strip) => sum(strip.deliveredByHour))) * scale);
  const failed = sum(strips.map((strip) => sum(strip.failedByHour)));
  const attempts = delivered + (scale === 1 ? failed : Math.round(failed / 4));
  return {
    attempts: String(attempts),
    delivered: String(delivered),
    deliveredPerMille: attempts === 0 ? undefined : Math.round((delivered / attempts) * 1_000),
    latencyP95Us,
  };
}

export function overview(world: FakeWorld): Pick<Answers, "calls" | "streams"> {
  return {
    calls: {
      "LogService/GetOverview": ({ district = "" }): Overview => {
        const urgency = (strip: SchoolStrip) => URGENCY.indexOf(strip.state) - Math.min(Number(strip.parked), 1) / 2;
        const strips = world.schools
          .map(strip)
          .filter((strip) => !district || strip.districtId === district)
          .sort((a, b) => urgency(a) - urgency(b));
        const items = strips.flatMap(attention);
        const severities = ["urgent", "warning", "notice"];
        items.sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
        const total = (count: (strip: SchoolStrip) => string) =>
          String(sum(strips.map((strip) => Number(count(strip)))));
        return {
          at: new Date().toISOString(),
          lastDay: day(strips, 1, 412_000),
          dayBefore: day(strips, 0.96, 371_000),
          pending: total((strip) => strip.pending),
          parked: total((strip) => strip.parked),
          held: total((strip) => strip.held),
          oldestUndeliveredAt: strips.some((strip) => strip.parked !== "0") ? ago(7.1 * HOUR) : undefined,
          oldestUndeliveredMessage: strips.some((strip) => strip.parked !== "0") ? idOf("evt", 4_711) : "",
          dayAgo: {
            at: ago(24 * HOUR),
            pending: total((strip) => strip.pending),
            parked: total((strip) => String(Math.ceil(Number(strip.parked) / 2))),
            held: "0",
            oldestUndeliveredAt: ago(26.5 * HOUR),
          },
          schools: strips,
          schoolsTotal: strips.length,
          attention: items,
          attentionTotal: items.length,
        };
      },
    },
  };
}
