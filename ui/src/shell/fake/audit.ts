import type { AuditEntry } from "@/gen/rollcall/provider/v1/log";
import { type FakeWorld, fakeWorld } from "./district";
import type { Answers } from "./host";
import { ago, HOUR, idOf } from "./seed";

const PER_PAGE = 50;

/** Acts of a district, newest first: what happened to its schools, again and again. */
function districtActs(world: FakeWorld, district: string): Omit<AuditEntry, "number">[] {
  const own = world.schools.filter(({ school }) => school.districtId === district);
  const acts = [
    ["staff:ben.okafor", "message.body_shown", ""],
    ["staff:ada", "school.paused", "until it is resumed"],
    ["staff:ada", "school.resumed", ""],
    ["staff:ben.okafor", "messages.replayed", "14 messages"],
    ["system", "school.code_redeemed", "by FRONT-OFFICE-3"],
    ["staff:ada", "school.code_issued", "expires in 24 h"],
    ["staff:ada", "school.connected", "to roster.example"],
    ["staff:ben.okafor", "school.tested", "answered 204"],
  ] as const;
  return Array.from({ length: 120 }, (_, index) => {
    const [actor, act, detail] = acts[index % acts.length] ?? acts[0];
    const school = own[index % own.length]?.school.id ?? "";
    return { at: ago((0.4 + index * 3.7) * HOUR), actor, act, subject: school, detail };
  });
}

function installationActs(): Omit<AuditEntry, "number">[] {
  const acts = [
    ["staff:ada", "staff.signed_in", "stf_1", ""],
    ["staff:carla", "access.denied", "/rollcall.provider.v1.StaffService/ListStaff", ""],
    ["staff:ada", "staff.created", idOf("stf", 6), "viewer"],
    ["staff:ada", "staff.disabled", idOf("stf", 5), ""],
    ["staff:ben.okafor", "staff.signed_in", idOf("stf", 2), ""],
    ["system", "keys.rotated", "", "12 keys"],
  ] as const;
  return Array.from({ length: 64 }, (_, index) => {
    const [actor, act, subject, detail] = acts[index % acts.length] ?? acts[0];
    return { at: ago((0.3 + index * 5.1) * HOUR), actor, act, subject, detail };
  });
}

export function audit(world: FakeWorld = fakeWorld()): Pick<Answers, "calls" | "streams"> {
  return {
    calls: {
      "AuditService/ListAudit": ({ district = "", pageSize = PER_PAGE, pageToken = "" }) => {
        const acts = district ? districtActs(world, district) : installationActs();
        const numbered = acts.map((act, index) => ({ ...act, number: String(acts.length - index) }));
        const from = Number(pageToken || 0);
        const size = pageSize || PER_PAGE;
        const more = from + size < numbered.length;
        return { entries: numbered.slice(from, from + size), nextPageToken: more ? String(from + size) : "" };
      },
      "AuditService/VerifyAudit": () => ({
        intact: true,
        entries: String(64 + 120 * world.districts.length),
        break: "",
      }),
    },
  };
}
