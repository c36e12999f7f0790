import type { ConnectionState, School } from "@/gen/rollcall/provider/v1/school";
import { type FakeWorld, fakeWorld, RETRY, secret } from "./district";
import { type Answers, refusal } from "./host";
import { ago, HOUR, idOf } from "./seed";

const CODE = "RC1-7Q4M-0ZKD-9X2P-VB6T-HC3N-5WYA-8GRE-J1FS-4KTD-M7PZ-2XQV-6BNC-0HYA-9WGR-E3JF-S5D8";
/** A code of the fake is redeemed by somebody after this time. */
const REDEEMED_AFTER_MS = 9_000;

export function schools(world: FakeWorld = fakeWorld()): Pick<Answers, "calls" | "streams"> {
  const issuedAt = new Map<string, number>();
  let secrets = 200;

  const find = (name: string): School => {
    const found = world.schools.find(({ school }) => [school.id, school.sourcedId, school.name].includes(name));
    if (!found) throw refusal("not_found", "the school was not found");
    return found.school;
  };
  const connection = (school: School) => {
    if (!school.connection) throw refusal("internal", "a school of the fake has a connection");
    return school.connection;
  };
  const turn = (school: School, state: ConnectionState, reason = "") => {
    Object.assign(connection(school), { state, reason, nextAttemptAt: undefined });
    return structuredClone(school);
  };
  /** What happens by itself: a code that is out is redeemed after a while. */
  const live = (school: School) => {
    const at = issuedAt.get(school.id);
    if (at !== undefined && Date.now() - at > REDEEMED_AFTER_MS) {
      issuedAt.delete(school.id);
      const now = new Date().toISOString();
      const { code } = connection(school);
      if (code) Object.assign(code, { state: "confirmed", redeemedByHost: "FRONT-OFFICE-3", redeemedAt: now });
      connection(school).secrets = [secret(secrets++, "active", 0)];
      connection(school).installationHost = "FRONT-OFFICE-3";
      turn(school, "CONNECTION_STATE_ACTIVE");
    }
    return structuredClone(school);
  };
  const invalid = (field: string, message: string) =>
    refusal("invalid_argument", `${field}: ${message}`, { violations: [{ field, message }] });

  return {
    calls: {
      "DistrictService/ListDistricts": () => ({ districts: structuredClone(world.districts) }),
      "SchoolService/ListSchools": ({ district = "" }) => ({
        schools: world.schools
          .filter(({ school }) => !district || school.districtId === district)
          .map((s) => live(s.school)),
        nextPageToken: "",
      }),
      "SchoolService/GetSchool": ({ school }) => live(find(school)),
      "SchoolService/CreateSchool": ({ district, name, sourcedId }) => {
        if (!name?.trim()) throw invalid("name", "must not be blank");
        if (!/^[0-9A-Za-z.\-_/@]{1,255}$/.test(sourcedId ?? "")) {
          throw invalid("sourcedId", "use 1 to 255 of letters, digits and . - _ / @");
        }
        if (world.schools.some(({ school }) => school.sourcedId === sourcedId && school.districtId === district)) {
          throw refusal("already_exists", "sourcedId: this district has a school of it", {
            violations: [{ field: "sourcedId", message: "this district has a school of it" }],
          });
        }
        const created: School = {
          id: idOf("sch", world.schools.length + 1),
          districtId: district,
          sourcedId,
          name: name.trim(),
          connection: {
            state: "CONNECTION_STATE_NOT_CONNECTED",
            url: "",
            ownReceiver: false,
            retry: RETRY,
            maxInFlight: 32,
            secrets: [],
            code: undefined,
            installationHost: "",
            lastDeliveredAt: undefined,
            reason: "",
            nextAttemptAt: undefined,
          },
          students: 0,
          headSequence: "0",
          figures: undefined,
          createdAt: new Date().toISOString(),
        };
        world.schools.push({ school: created, deliveredByHour: Array(24).fill(0), failedByHour: Array(24).fill(0) });
        return structuredClone(created);
      },
      "SchoolService/UpdateSchool": ({ school, name }) => {
        if (!name?.trim()) throw invalid("name", "must not be blank");
        const found = find(school);
        found.name = name.trim();
        return structuredClone(found);
      },
      "SchoolService/DeleteSchool": ({ school, confirmName }) => {
        const found = find(school);
        if (found.name !== confirmName) throw invalid("confirmName", "is not the school's name");
        world.schools = world.schools.filter((other) => other.school !== found);
        return { schoolId: found.id, discarded: found.figures?.pending ?? "0" };
      },
      "SchoolService/ConnectSchool": ({ school, url, ownReceiver, retry, maxInFlight }) => {
        if (!/^https:\/\/[^\s/]+/.test(url ?? "")) throw invalid("url", "must be an https address");
        const found = find(school);
        const of = connection(found);
        Object.assign(of, { url, ownReceiver: ownReceiver ?? false });
        if (retry) of.retry = { ...of.retry, ...retry };
        if (maxInFlight) of.maxInFlight = maxInFlight;
        return structuredClone(found);
      },
      "SchoolService/TestAddress": ({ url }) => {
        const host = /^https:\/\/([^\s/:]+)/.exec(url ?? "")?.[1];
        if (!host) {
          const detail = "only https addresses are used: http would send students' data in the open";
          return { ok: false, checks: [{ step: "policy", ok: false, detail }] };
        }
        const passed = [
          { step: "policy", ok: true, detail: "the address may be used" },
          { step: "dns", ok: true, detail: "198.51.100.24" },
          { step: "connect", ok: true, detail: "port 443 takes connections" },
        ];
        if (host.includes("expired")) {
          const detail = "the certificate expired on 2026-10-31: the school has to renew it";
          return { ok: false, checks: [...passed, { step: "tls", ok: false, detail }] };
        }
        const rest = [
          { step: "tls", ok: true, detail: "the certificate is valid for this name" },
          { step: "answer", ok: true, detail: "it answers HTTP (503)" },
        ];
        return { ok: true, checks: [...passed, ...rest] };
      },
      "SchoolService/IssueCode": ({ school, ttlS = 0 }) => {
        const found = find(school);
        const expiresAt = ago((-(ttlS || 86_400) / 3_600) * HOUR);
        connection(found).code = {
          state: "issued",
          createdAt: new Date().toISOString(),
          expiresAt,
          issuedBy: "ada",
          redeemedByHost: "",
          redeemedAt: undefined,
        };
        issuedAt.set(found.id, Date.now());
        if (connection(found).secrets.length === 0) turn(found, "CONNECTION_STATE_ENROLLING");
        return { code: CODE, deepLink: `rollcall-school://enroll?code=${CODE}`, expiresAt };
      },
      "SchoolService/RevokeCode": ({ school }) => {
        const found = find(school);
        const { code } = connection(found);
        if (code?.state !== "issued")
          throw refusal("failed_precondition", "the school has no code that could be revoked");
        code.state = "revoked";
        issuedAt.delete(found.id);
        return turn(found, "CONNECTION_STATE_NOT_CONNECTED");
      },
      "SchoolService/ShowSecretOnce": ({ school }) => {
        const found = find(school);
        if (connection(found).secrets.length > 0) {
          const words = "the secret was shown before and is never shown again: rotate it to get a new one";
          throw refusal("failed_precondition", words);
        }
        const info = secret(secrets++, "active", 0);
        connection(found).secrets = [info];
        turn(found, "CONNECTION_STATE_ACTIVE");
        return { secret: "whsec_bm90IGEgc2VjcmV0OiBvbmx5IG9mIHRoZSBmYWtl", info };
      },
      "SchoolService/RotateSecret": ({ school, overlapS = 86_400, revokeNow = false }) => {
        const found = find(school);
        const of = connection(found);
        const info = secret(secrets++, of.ownReceiver ? "active" : "pending", 0);
        if (revokeNow) {
          of.secrets = [info];
          if (!of.ownReceiver) {
            turn(
              found,
              "CONNECTION_STATE_REVOKED",
              "The secret was revoked: deliveries wait until a new one is in place.",
            );
          }
        } else {
          if (of.ownReceiver) {
            for (const old of of.secrets) {
              old.state = "retiring";
              old.expiresAt = ago((-overlapS / 3_600) * HOUR);
            }
          }
          of.secrets = [info, ...of.secrets];
        }
        return { secret: of.ownReceiver ? "whsec_YWxzbyBubyBzZWNyZXQ6IG9ubHkgb2YgdGhlIGZha2U=" : "", info };
      },
      "SchoolService/PauseSchool": ({ school, durationS = 0 }) => {
        const until = durationS ? `until ${ago((-durationS / 3_600) * HOUR).slice(0, 19)}Z` : "until it is resumed";
        return turn(find(school), "CONNECTION_STATE_PAUSED", `Paused by ada, ${until}.`);
      },
      "SchoolService/ResumeSchool": ({ school }) => turn(find(school), "CONNECTION_STATE_ACTIVE"),
      "SchoolService/SendTestEvent": ({ school }) => {
        const down = connection(find(school)).state === "CONNECTION_STATE_DOWN";
        return down
          ? { ok: false, code: 0, detail: "the school's system refuses the connection", latencyMs: 12 }
          : { ok: true, code: 204, detail: "the school's system answered 204", latencyMs: 86 };
      },
    },
  };
}
