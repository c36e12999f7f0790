import type { CheckSignatureRequest, ReceivedEvent, Status, StudentArrival } from "@/gen/rollcall/school/v1/receiver";
import { arrive, type Desk, event, SCHOOL } from "./desk";
import type { Answers } from "./host";
import { checked } from "./signature";

const ARRIVAL_MS = 1_500;

/** The school's receiver: its state, its roster, what arrived, and more of it every moment. */
export function receiver(desk: Desk): Pick<Answers, "calls" | "streams"> {
  return {
    calls: {
      "ReceiverService/GetStatus": () => statusOf(desk),
      "ReceiverService/ListStudents": ({ search = "", pageSize, pageToken }) => {
        const wanted = search.toLowerCase();
        const found = desk.students.filter((student) =>
          `${student.givenName} ${student.familyName} ${student.sourcedId} ${student.json}`
            .toLowerCase()
            .includes(wanted),
        );
        const { items, nextPageToken } = page(found, pageSize, pageToken);
        return { students: items, nextPageToken };
      },
      "ReceiverService/ListEvents": ({ verdicts = [], pageSize, pageToken }) => {
        const found = desk.events.filter((row) => verdicts.length === 0 || verdicts.includes(row.verdict)).reverse();
        const { items, nextPageToken } = page(found, pageSize, pageToken);
        return { events: items, nextPageToken };
      },
      "ReceiverService/ListStudentHistory": ({ sourcedId }) => ({
        arrivals: historyOf(desk, sourcedId),
        nextPageToken: "",
      }),
      "ReceiverService/ListGaps": () => ({
        gaps: desk.gaps,
        missing: String(missingOf(desk)),
        contiguousSequence: String(contiguousOf(desk)),
        highestSequence: String(desk.highest),
      }),
      "ReceiverService/ListAlerts": () => ({ alerts: [], nextPageToken: "" }),
      "ReceiverService/CheckSignature": (request: CheckSignatureRequest) => checked(request),
    },
    streams: {
      "ReceiverService/TailEvents": ({ afterNumber }, emit) => {
        const send = (events: ReceivedEvent[]) =>
          events.length > 0 && emit({ kind: "message", message: { events, number: events.at(-1)?.number } });
        emit({ kind: "open" });
        send(desk.events.filter((row) => afterNumber && Number(row.number) > Number(afterNumber)));
        const tell = (arrived: ReceivedEvent) => send([arrived]);
        desk.tails.add(tell);
        const timer = setInterval(() => desk.enrolled && arrive(desk), ARRIVAL_MS);
        return () => {
          clearInterval(timer);
          desk.tails.delete(tell);
        };
      },
    },
  };
}

function page<T>(all: T[], pageSize = 100, pageToken = "") {
  const from = Number(pageToken || 0);
  const to = from + (pageSize || 100);
  return { items: all.slice(from, to), nextPageToken: to < all.length ? String(to) : "" };
}

const missingOf = (desk: Desk) => desk.gaps.reduce((sum, gap) => sum + Number(gap.to) - Number(gap.from) + 1, 0);
const contiguousOf = (desk: Desk) => (desk.gaps[0] ? Number(desk.gaps[0].from) - 1 : desk.highest);

function statusOf(desk: Desk): Status {
  const last = desk.events.findLast((row) => row.verdict === "verified");
  return {
    version: "0.1.0",
    enrolled: desk.enrolled,
    schoolId: desk.enrolled ? SCHOOL.id : "",
    schoolSourcedId: SCHOOL.sourcedId,
    schoolName: desk.enrolled ? SCHOOL.name : "",
    districtSourcedId: "dist-1",
    fingerprints: desk.enrolled ? desk.fingerprints : [],
    secretStore: "keychain",
    secretError: "",
    secretErrorReason: "",
    webhookAddress: "http://127.0.0.1:8080/webhook",
    students: desk.students.length,
    contiguousSequence: String(contiguousOf(desk)),
    highestSequence: String(desk.highest),
    lastVerifiedAt: last?.at,
    providerAddress: desk.enrolled ? "rollcall.example:7443" : "",
    alerts: 0,
    latestAlert: "",
  };
}

/** One arrival per version, each with the field that it changed. */
function historyOf(desk: Desk, sourcedId: string): StudentArrival[] {
  const index = desk.students.findIndex((student) => student.sourcedId === sourcedId);
  const student = desk.students[index];
  if (!student) return [];
  const changes = [
    { field: "grades", oldValue: '["01"]', newValue: JSON.stringify(student.grades) },
    { field: "preferredGivenName", oldValue: undefined, newValue: `"${student.givenName.slice(0, 3)}"` },
    { field: "email", oldValue: '"old@example.org"', newValue: undefined },
    { field: "familyName", oldValue: '"Berg"', newValue: JSON.stringify(student.familyName) },
  ];
  const newest = Number(student.version);
  const at = new Date(student.receivedAt ?? 0).getTime();
  return Array.from({ length: newest }, (_, back) => {
    const version = newest - back;
    const eventType = version === 1 ? "student.enrolled" : "student.updated";
    return {
      event: event(index * 10 + version + 1_000, at - back * 9 * 86_400_000, {
        eventType,
        studentSourcedId: sourcedId,
        verdict: "verified",
        result: "applied",
        code: 200,
      }),
      version: String(version),
      fields: version === 1 ? [] : [changes[version % changes.length] as (typeof changes)[number]],
      json: student.json,
    };
  });
}
