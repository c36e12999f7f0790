import { arrive, type Desk, SCHOOL } from "./desk";
import type { Answers } from "./host";
import { refusal } from "./host";

const CLOSE_MS = 400;

/** The provider, as the school's own credential sees it. */
export function link(desk: Desk): Pick<Answers, "calls" | "streams"> {
  const enrolled = () => {
    if (!desk.enrolled) throw refusal("not_connected", "this desk is not enrolled");
  };
  return {
    calls: {
      "SchoolLinkService/GetConnection": () => {
        enrolled();
        return connectionOf(desk);
      },
      "SchoolLinkService/ListOwnAttempts": () => ({
        attempts: [{ requestBytes: 612 }],
        nextPageToken: "",
        searchedUntil: undefined,
      }),
      "SchoolLinkService/RequestTestEvent": () => {
        enrolled();
        setTimeout(
          () =>
            arrive(desk, {
              eventType: "connection.test",
              sequence: "0",
              studentSourcedId: "",
              verdict: "verified",
              result: "applied",
              code: 200,
            }),
          300,
        );
        return { ok: true, code: 200, detail: "the school answered 200", latencyMs: 14 };
      },
      "SchoolLinkService/ReplaySince": ({ dryRun }) => {
        const messages = desk.gaps.reduce((sum, gap) => sum + Number(gap.to) - Number(gap.from) + 1, 0);
        if (!dryRun) closeGaps(desk);
        return { messages: String(messages), refused: "0" };
      },
    },
  };
}

/** What was asked for arrives, one number at a time. */
function closeGaps(desk: Desk) {
  const timer = setInterval(() => {
    const [first, ...rest] = desk.gaps;
    if (!first) return clearInterval(timer);
    desk.gaps = first.from === first.to ? rest : [{ ...first, from: String(Number(first.from) + 1) }, ...rest];
  }, CLOSE_MS);
}

function connectionOf(desk: Desk) {
  const day = 86_400_000;
  const at = (days: number) => new Date(Date.now() - days * day).toISOString();
  return {
    id: SCHOOL.id,
    districtId: "dst_1",
    sourcedId: SCHOOL.sourcedId,
    name: SCHOOL.name,
    students: desk.students.length,
    headSequence: String(desk.highest),
    figures: undefined,
    createdAt: at(90),
    connection: {
      state: "CONNECTION_STATE_ACTIVE",
      url: "https://lindenhof.example/webhook",
      ownReceiver: false,
      retry: undefined,
      maxInFlight: 8,
      secrets: desk.fingerprints.map((fingerprint, index) => ({
        id: `sec_${index + 1}`,
        fingerprint,
        state: index === 0 ? "active" : "retiring",
        createdAt: at(index === 0 ? (desk.fingerprints.length > 1 ? 0 : 42) : 42),
        expiresAt: index === 0 ? undefined : at(-1),
        lastVerifiedAt: at(index === 0 ? 0 : 0.1),
      })),
      code: undefined,
      installationHost: "FRONT-OFFICE-3",
      lastDeliveredAt: at(0),
      reason: "",
      nextAttemptAt: undefined,
    },
  };
}
