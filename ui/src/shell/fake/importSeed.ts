import type { FieldChange, ImportProblem, ImportRun, PlannedChange } from "@/gen/rollcall/provider/v1/import";
import { ago, DAY, DISTRICTS, dice, HOUR, idOf, MINUTE, SCHOOLS } from "./seed";

const VALLE = DISTRICTS[0]?.id ?? "";
const HARBOR = DISTRICTS[1]?.id ?? "";

/** A run as it begins. */
export function newRun(number: number, change: Partial<ImportRun>): ImportRun {
  return {
    id: idOf("run", number),
    districtId: VALLE,
    state: "IMPORT_STATE_CHECKING",
    fileName: "roster.zip",
    version: "1.2",
    kind: "bulk",
    profile: "lenient",
    phase: "reading",
    rowsRead: "0",
    rowsTotal: "0",
    counts: undefined,
    schools: [],
    applied: "0",
    holds: [],
    error: "",
    startedBy: "ada",
    startedAt: ago(0),
    finishedAt: undefined,
    undoSkipped: "0",
    ...change,
  };
}

/** What a plan says per school, and in all. */
export function planned(district: string, created: number, updated: number, deleted: number) {
  const roll = dice(created + 3 * updated + 7 * deleted);
  const schools = SCHOOLS.filter(({ districtId }) => districtId === district).map(({ sourcedId, name }) => ({
    schoolSourcedId: sourcedId,
    schoolName: name,
    created: String(roll(Math.ceil(created / 4) + 1)),
    updated: String(roll(Math.ceil(updated / 4) + 1)),
    deleted: String(roll(Math.ceil(deleted / 4) + 1)),
    unchanged: String(60 + roll(900)),
  }));
  const counts = {
    created: String(created),
    updated: String(updated),
    deleted: String(deleted),
    unchanged: String(schools.reduce((sum, { unchanged }) => sum + Number(unchanged), 0)),
    rejected: "3",
    warnings: "131",
    errors: "12",
    schoolsCreated: "0",
  };
  return { schools, counts, rowsRead: "18422", rowsTotal: "18422" };
}

const DELETIONS = {
  code: "deletions",
  message: "612 of 4,104 students would be deleted (14.9 %): more than 10 % needs an approval",
  figure: "149",
  schoolSourcedId: "",
};
const MISSING = {
  code: "school_missing",
  message: "Redwood Middle School has 743 students and none in the file",
  figure: "743",
  schoolSourcedId: "sch-redwood",
};

/** Runs in every state, newest first. */
export function seedRuns(): ImportRun[] {
  const done = (hours: number) => ({
    startedAt: ago(hours * HOUR + 3 * MINUTE),
    finishedAt: ago(hours * HOUR),
    phase: "done",
  });
  return [
    newRun(9, {
      state: "IMPORT_STATE_HELD",
      fileName: "valle-verde-2026-11-25.zip",
      ...planned(VALLE, 48, 231, 612),
      phase: "planning",
      holds: [DELETIONS, MISSING],
      startedAt: ago(42 * MINUTE),
    }),
    newRun(8, {
      state: "IMPORT_STATE_APPLIED",
      fileName: "valle-verde-2026-11-24-delta.zip",
      kind: "delta",
      ...planned(VALLE, 6, 74, 2),
      applied: "82",
      startedBy: "mara",
      ...done(5),
    }),
    newRun(7, {
      state: "IMPORT_STATE_FAILED",
      fileName: "roster export (1).zip",
      error: "the zip is cut short or damaged: export it again and upload the whole file",
      ...done(6),
      version: "",
      kind: "",
    }),
    newRun(6, {
      state: "IMPORT_STATE_UNDONE",
      fileName: "valle-verde-2026-11-20.zip",
      ...planned(VALLE, 12, 140, 31),
      applied: "183",
      undoSkipped: "4",
      ...done(5 * 24),
    }),
    newRun(5, {
      state: "IMPORT_STATE_CANCELLED",
      fileName: "valle-verde-2026-11-18.zip",
      ...planned(VALLE, 20, 900, 14),
      applied: "412",
      ...done(7 * 24),
    }),
    newRun(4, {
      state: "IMPORT_STATE_DISCARDED",
      fileName: "valle-verde-2026-11-11.zip",
      ...planned(VALLE, 0, 3_800, 0),
      ...done(14 * 24),
    }),
    newRun(3, {
      state: "IMPORT_STATE_APPLIED",
      fileName: "valle-verde-2026-10-02.zip",
      version: "1.1",
      ...planned(VALLE, 36, 410, 22),
      applied: "468",
      ...done(54 * 24),
    }),
    newRun(2, {
      districtId: HARBOR,
      state: "IMPORT_STATE_APPLIED",
      fileName: "harbor-2026-08-20.zip",
      ...planned(HARBOR, 90, 0, 0),
      applied: "90",
      startedAt: ago(90 * DAY),
      finishedAt: ago(90 * DAY - MINUTE),
      phase: "done",
    }),
  ];
}

const RULES: [
  severity: string,
  file: string,
  field: string,
  code: string,
  message: string,
  fix: string,
  count: number,
][] = [
  [
    "error",
    "users.csv",
    "",
    "row.width",
    "the row has another number of columns than the header",
    "quote values that contain a comma, and fill every column",
    3,
  ],
  [
    "error",
    "roles.csv",
    "orgSourcedId",
    "ref.org",
    "the org named is not in orgs.csv",
    "add the org, or correct the reference",
    9,
  ],
  [
    "warning",
    "users.csv",
    "email",
    "value.email",
    "the e-mail address is malformed",
    "correct it at its source; it is kept as it is",
    44,
  ],
  ["warning", "users.csv", "givenName", "value.spaces", "the value has spaces around it", "remove them", 61],
  [
    "warning",
    "roles.csv",
    "",
    "role.primary_several",
    "the student has primary roles in several schools; the first, or the one in primaryOrgSourcedId, is taken as primary",
    "mark the others secondary",
    18,
  ],
  [
    "warning",
    "demographics.csv",
    "",
    "zip.extra_file",
    "the file is none of OneRoster's and was not read",
    "leave it out of the zip",
    8,
  ],
];

/** What was found in the held run's file. */
export function seedProblems(): ImportProblem[] {
  const roll = dice(11);
  return RULES.flatMap(([severity, file, field, code, message, howToFix, count]) =>
    Array.from({ length: count }, (_, index) => ({
      severity,
      file,
      line: String(2 + index * 37 + roll(20)),
      sourcedId: `S-${20_001 + 7 * roll(320)}`,
      field,
      code,
      message,
      howToFix,
    })),
  );
}

const SAMPLES: FieldChange[][] = [
  [{ field: "grades", oldValue: "08", newValue: "09" }],
  [{ field: "familyName", oldValue: "Garcia", newValue: "Garcia Silva" }],
  [
    {
      field: "schoolEnrollments[0]",
      oldValue: "sch-redwood, primary, 2026-08-17",
      newValue: "sch-lincoln, primary, 2026-11-24",
    },
    { field: "primaryOrgSourcedId", oldValue: "sch-redwood", newValue: "sch-lincoln" },
  ],
  [{ field: "email", newValue: "noah.kim@students.vvusd.example" }],
  [{ field: "preferredGivenName", oldValue: "Kit" }],
];

/** What a held run would do, some of it. */
export function seedChanges(): PlannedChange[] {
  const names = ["Noah Kim", "Priya Patel", "Ines Garcia", "Kofi Mensah", "Elsa Lindqvist", "Omar Haddad"];
  return Array.from({ length: 60 }, (_, index) => {
    const kind = index % 10 === 0 ? "created" : index % 3 === 1 ? "deleted" : "updated";
    const school = SCHOOLS[index % 5]?.sourcedId ?? "";
    return {
      sourcedId: `S-${20_001 + index * 7}`,
      displayName: names[index % names.length] ?? "",
      kind,
      line: kind === "deleted" ? "0" : String(2 + index * 3),
      fields:
        kind === "updated"
          ? (SAMPLES[index % SAMPLES.length] ?? [])
          : kind === "created"
            ? [
                { field: "grades", newValue: "KG" },
                { field: "schoolEnrollments[0]", newValue: `${school}, primary, 2026-11-24` },
              ]
            : [],
      schoolSourcedIds: [school],
    };
  });
}
