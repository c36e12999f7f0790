import type { Staff } from "@/gen/rollcall/provider/v1/staff";
import { type Answers, refusal } from "./host";
import { ago, HOUR, idOf } from "./seed";

function account(
  number: number,
  username: string,
  role: Staff["role"],
  districts: number[],
  lastHours?: number,
): Staff {
  return {
    id: number === 1 ? "stf_1" : idOf("stf", number),
    username,
    role,
    districtIds: districts.map((district) => idOf("dst", district)),
    disabled: false,
    createdAt: ago((4_000 - number * 300) * HOUR),
    lastLoginAt: lastHours === undefined ? undefined : ago(lastHours * HOUR),
  };
}

export function staff(): Pick<Answers, "calls" | "streams"> {
  const accounts: Staff[] = [
    account(1, "ada", "ROLE_OWNER", [], 0.3),
    account(2, "ben.okafor", "ROLE_OPERATOR", [1], 2),
    account(3, "carla", "ROLE_VIEWER", [1, 2], 50),
    account(4, "district-audit", "ROLE_AUDITOR", [2], 400),
    { ...account(5, "eve.former", "ROLE_OPERATOR", [2], 2_100), disabled: true },
    account(6, "frank", "ROLE_VIEWER", [2]),
  ];
  const find = (name: string): Staff => {
    const found = accounts.find((one) => one.id === name || one.username === name);
    if (!found) throw refusal("not_found", "the account was not found");
    return found;
  };
  const violation = (
    field: string,
    message: string,
    code: "invalid_argument" | "already_exists" = "invalid_argument",
  ) => refusal(code, `${field}: ${message}`, { violations: [{ field, message }] });
  const checkPassword = (password: string) => {
    if (password.length < 12) throw violation("password", "use at least 12 characters, for example four words");
  };
  const keepAnOwner = (but: Staff) => {
    if (but.role !== "ROLE_OWNER" || but.disabled) return;
    if (!accounts.some((one) => one !== but && one.role === "ROLE_OWNER" && !one.disabled)) {
      throw refusal("failed_precondition", "this is the last owner: make another one first");
    }
  };
  return {
    calls: {
      "StaffService/GetServerInfo": () => ({ version: "0.1.0", now: new Date().toISOString(), unclaimed: false }),
      "StaffService/ListStaff": () => ({
        staff: structuredClone(accounts).sort((a, b) => a.username.localeCompare(b.username)),
      }),
      "StaffService/CreateStaff": ({ username = "", password = "", role, districts = [] }) => {
        if (!/^[a-z0-9._@-]{3,64}$/.test(username)) throw violation("username", "use 3 to 64 of a-z 0-9 . _ - @");
        if (accounts.some((one) => one.username === username)) {
          throw violation("username", "is taken: use another", "already_exists");
        }
        checkPassword(password);
        const created = account(accounts.length + 1, username, role, []);
        created.districtIds = districts;
        created.createdAt = new Date().toISOString();
        accounts.push(created);
        return structuredClone(created);
      },
      "StaffService/UpdateStaff": ({ staff: name, role, districts = [], disabled, password = "" }) => {
        const found = find(name);
        if (password) checkPassword(password);
        if (role && role !== "ROLE_UNSPECIFIED") {
          if (role !== "ROLE_OWNER") keepAnOwner(found);
          found.role = role;
          found.districtIds = role === "ROLE_OWNER" ? [] : districts;
        }
        if (disabled === true) keepAnOwner(found);
        if (typeof disabled === "boolean") found.disabled = disabled;
        return structuredClone(found);
      },
      "StaffService/DisableStaff": ({ staff: name }) => {
        const found = find(name);
        keepAnOwner(found);
        found.disabled = true;
        return structuredClone(found);
      },
      "StaffService/RevokeSessions": ({ staff: name }) => {
        find(name);
        return { sessions: 1 };
      },
    },
  };
}
