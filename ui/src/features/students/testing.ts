import type { Student, StudentVersion } from "@/gen/rollcall/provider/v1/student";

/** A student at two schools of the made-up district. */
export const ZOE: Student = {
  sourcedId: "S-1",
  status: "STUDENT_STATUS_ACTIVE",
  dateLastModified: "2026-11-20T08:00:00Z",
  version: "7",
  givenName: "Zoë",
  familyName: "Okafor",
  identifier: "310001",
  grades: ["09"],
  primaryOrgSourcedId: "org-101",
  schoolEnrollments: [
    { schoolSourcedId: "org-101", roleType: "primary", beginDate: "2026-08-17", ended: false },
    { schoolSourcedId: "org-102", roleType: "secondary", ended: false },
  ],
};
export const NOAH: Student = {
  ...ZOE,
  sourcedId: "S-2",
  givenName: "Noah",
  familyName: "Kim",
  schoolEnrollments: [{ schoolSourcedId: "org-101", roleType: "primary", ended: false }],
};

export const VERSIONS: StudentVersion[] = [
  { student: ZOE, actor: "mara", at: "2026-11-20T08:00:00Z" },
  {
    student: { ...ZOE, version: "6", grades: ["08"], familyName: "Reed" },
    actor: "run:run_1",
    at: "2026-08-01T08:00:00Z",
  },
];

const SENDS = ["Lincoln High School", "Oak Middle School"].map((schoolName, index) => ({
  schoolId: `sch_${index}`,
  schoolSourcedId: `org-10${index + 1}`,
  schoolName,
  eventType: "student.updated",
}));

/** What a dry run, and then the change itself, answers. */
export const changed = ({ student, dryRun }: { student: Student; dryRun: boolean }) => ({
  student: { ...student, version: "8" },
  changeId: dryRun ? "" : "chg_1",
  events: dryRun ? 0 : 2,
  repeated: false,
  sends: dryRun ? SENDS : [],
});

/** The calls of a district with these two. */
export const calls = {
  "StudentService/ListStudents": () => ({ students: [ZOE, NOAH], nextPageToken: "" }),
  "StudentService/GetStudent": ({ sourcedId }: { sourcedId: string }) => (sourcedId === "S-1" ? ZOE : NOAH),
  "StudentService/ListStudentVersions": () => ({ versions: VERSIONS }),
  "StudentService/PutStudent": changed,
};
