import type { Student, StudentVersion } from "@/gen/rollcall/provider/v1/student";
import { ago, DAY, DISTRICTS, dice, HOUR, MINUTE, SCHOOLS } from "./seed";

const GIVEN =
  "Amara Noah Mia Liam Zoë Mateo Aaliyah Ethan Priya Jonas Leila Oscar Hana Felix Ines Samuel Nadia Théo Ruth Diego Ana Kofi Elsa Omar Clara Jin Marta Isaac Yuki Bruno".split(
    " ",
  );
const FAMILY =
  "Okafor Nguyen Martínez Schmidt Patel Johansson Kim O'Brien Haddad Silva Novak Brown Tanaka Dubois Andersen Garcia Cohen Mensah Rossi Ivanova Murphy Ali Lindqvist Chen Fischer".split(
    " ",
  );
const GRADES: Record<string, string[]> = {
  High: ["09", "10", "11", "12"],
  Middle: ["06", "07", "08"],
  Elementary: ["KG", "01", "02", "03", "04", "05"],
};

/** The students of one district, by sourcedId, each with its versions, newest first. */
export type Roster = Map<string, StudentVersion[]>;

const NOBODY: Student = {
  sourcedId: "",
  status: "STUDENT_STATUS_ACTIVE",
  dateLastModified: undefined,
  version: "0",
  givenName: "",
  familyName: "",
  grades: [],
  schoolEnrollments: [],
};

/** About 400 students in two districts; every eighth was changed since, some left. */
export function seedRosters(): Map<string, Roster> {
  const roll = dice(7);
  const rosters = new Map<string, Roster>();
  for (const [districtIndex, district] of DISTRICTS.entries()) {
    const schools = SCHOOLS.filter(({ districtId }) => districtId === district.id);
    const roster: Roster = new Map();
    for (let number = 0; number < (districtIndex === 0 ? 320 : 90); number++) {
      const school = schools[roll(schools.length)] ?? schools[0];
      if (!school) continue;
      const given = GIVEN[roll(GIVEN.length)] ?? "Ana";
      const family = FAMILY[roll(FAMILY.length)] ?? "Kim";
      const kind = Object.keys(GRADES).find((word) => school.name.includes(word)) ?? "High";
      const grade = GRADES[kind]?.[roll(GRADES[kind].length)] ?? "09";
      const sourcedId = `${districtIndex === 0 ? "S" : "H"}-${20_001 + number * 7}`;
      const bornIn = 2026 - (grade === "KG" ? 5 : Number(grade) + 5);
      const first: Student = {
        ...NOBODY,
        sourcedId,
        version: "1",
        dateLastModified: ago(90 * DAY + roll(1_000) * MINUTE),
        givenName: given,
        familyName: family,
        identifier: String(310_000 + number * 13),
        username: `${given}.${family}`.toLowerCase().replace(/[^a-z.]/g, ""),
        email: `${given}.${family}@students.${district.sourcedId}.example`.toLowerCase().replace(/[^a-z.@]/g, ""),
        grades: [grade],
        primaryOrgSourcedId: school.sourcedId,
        schoolEnrollments: [
          { schoolSourcedId: school.sourcedId, roleType: "primary", beginDate: "2026-08-17", ended: false },
        ],
        ...(district.birthDate
          ? { birthDate: `${bornIn}-${String(1 + roll(12)).padStart(2, "0")}-${String(1 + roll(28)).padStart(2, "0")}` }
          : {}),
        ...(number % 11 === 0 ? { preferredGivenName: GIVEN[roll(GIVEN.length)] ?? "Kit" } : {}),
      };
      const versions: StudentVersion[] = [
        { student: first, actor: "run:run_01KB0000000000000000000003", at: first.dateLastModified },
      ];
      if (number % 8 === 3) push(versions, { email: `${sourcedId.toLowerCase()}@mail.example` }, "mara", 12 * DAY);
      if (number % 16 === 3) push(versions, { grades: [grade, "Other"], preferredFamilyName: "Reed" }, "ada", 5 * HOUR);
      if (number % 40 === 9) push(versions, { status: "STUDENT_STATUS_TOBEDELETED" }, "ada", 2 * DAY);
      if (number % 25 === 4) push(versions, { schoolEnrollments: second(first, schools, roll) }, "mara", 3 * DAY);
      roster.set(sourcedId, versions);
    }
    rosters.set(district.id, roster);
  }
  return rosters;
}

/** Puts a new version on top. */
export function push(versions: StudentVersion[], change: Partial<Student>, actor: string, agoMs = 0) {
  const at = ago(agoMs);
  const current = versions[0]?.student ?? NOBODY;
  const next: Student = {
    ...current,
    ...change,
    sourcedId: current.sourcedId || change.sourcedId || "",
    version: String(Number(current.version) + 1),
    dateLastModified: at,
  };
  versions.unshift({ student: next, actor, at });
  return next;
}

function second(first: Student, schools: typeof SCHOOLS, roll: (sides: number) => number) {
  const other = schools.filter(({ sourcedId }) => sourcedId !== first.primaryOrgSourcedId)[roll(schools.length - 1)];
  if (!other) return first.schoolEnrollments;
  return [
    ...first.schoolEnrollments,
    { schoolSourcedId: other.sourcedId, roleType: "secondary", beginDate: "2026-09-01", ended: false },
  ];
}
