import type { ChangeResult, SchoolEnrollment, Student } from "@/gen/rollcall/provider/v1/student";

/** OneRoster's grades, in their order. */
export const GRADES = "IT PR PK TK KG 01 02 03 04 05 06 07 08 09 10 11 12 13 PS UG Other".split(" ");

/** What a person edits, in the form's order. */
export const FIELDS = [
  "givenName",
  "middleName",
  "familyName",
  "preferredGivenName",
  "preferredMiddleName",
  "preferredFamilyName",
  "identifier",
  "grades",
  "username",
  "email",
  "birthDate",
  "enabledUser",
  "primaryOrgSourcedId",
  "schoolEnrollments",
  "status",
] as const satisfies (keyof Student)[];
export type Field = (typeof FIELDS)[number];

/** Fields that say who somebody is. */
export const PERSONAL: ReadonlySet<Field> = new Set<Field>([
  "givenName",
  "middleName",
  "familyName",
  "preferredGivenName",
  "preferredMiddleName",
  "preferredFamilyName",
  "identifier",
  "username",
  "email",
  "birthDate",
]);

export const NEW_STUDENT: Student = {
  sourcedId: "",
  status: "STUDENT_STATUS_ACTIVE",
  dateLastModified: undefined,
  version: "0",
  givenName: "",
  familyName: "",
  grades: [],
  schoolEnrollments: [{ schoolSourcedId: "", roleType: "primary", ended: false }],
};

/** The name that is used: the preferred one where there is one. */
export function usedName({ givenName, familyName, preferredGivenName, preferredFamilyName }: Student): string {
  return `${preferredGivenName || givenName} ${preferredFamilyName || familyName}`.trim();
}

/** Whether the used name is another than the legal one. */
export const hasPreferred = (student: Student) => usedName(student) !== `${student.givenName} ${student.familyName}`;

export const isDeleted = ({ status }: Student) => status === "STUDENT_STATUS_TOBEDELETED";

/** The enrollments that are not ended. */
export const activeAt = ({ schoolEnrollments }: Student) => schoolEnrollments.filter(({ ended }) => !ended);

/** A form's values as a record: blank texts are absent ones. */
export function toStudent(base: Student, values: Partial<Student>): Student {
  const merged: Record<string, unknown> = { ...base, ...values };
  for (const [field, value] of Object.entries(merged)) {
    const optional = field !== "givenName" && field !== "familyName" && field !== "sourcedId";
    if (value === null || (optional && typeof value === "string" && value.trim() === "")) delete merged[field];
  }
  const student = merged as unknown as Student;
  return { ...student, schoolEnrollments: (student.schoolEnrollments ?? []).map(toEnrollment) };
}

function toEnrollment({ schoolSourcedId, roleType, beginDate, endDate, exitReason, ended }: SchoolEnrollment) {
  return {
    schoolSourcedId: schoolSourcedId ?? "",
    roleType: roleType || "primary",
    ended: ended ?? false,
    ...(beginDate ? { beginDate } : {}),
    ...(endDate ? { endDate } : {}),
    ...(exitReason ? { exitReason } : {}),
  };
}

/** How a field's values are compared. `enrollment` words one enrollment. */
export function fieldText(student: Student, field: Field, enrollment: (one: SchoolEnrollment) => string): string {
  const value = student[field];
  if (field === "schoolEnrollments") return student.schoolEnrollments.map(enrollment).join("\n");
  if (field === "enabledUser") return String(value ?? true);
  if (Array.isArray(value)) return value.join(", ");
  return value == null ? "" : String(value);
}

const plain = (one: SchoolEnrollment) => JSON.stringify(toEnrollment(one));

/** The fields in which two records differ. */
export const differing = (a: Student, b: Student) =>
  FIELDS.filter((field) => fieldText(a, field, plain) !== fieldText(b, field, plain));

/** Whether a planned change does anything: the server tells whom, and how the record would be. */
export const changes = (before: Student, { student, sends }: ChangeResult) =>
  sends.length > 0 || (student ? differing(before, student).length > 0 : false);

/** A field that both sides of an edit conflict hold differently, and who changed it. */
export interface Conflict {
  field: Field;
  changedBy: "mine" | "theirs" | "both";
}

/** What to choose between: my record and theirs, both made from `base`. */
export function conflicts(base: Student, mine: Student, theirs: Student): Conflict[] {
  const byMe = new Set(differing(base, mine));
  const byThem = new Set(differing(base, theirs));
  return differing(mine, theirs).map((field) => ({
    field,
    changedBy: byMe.has(field) && byThem.has(field) ? "both" : byMe.has(field) ? "mine" : "theirs",
  }));
}

/** Their record with the fields that were chosen from mine. */
export function merge(mine: Student, theirs: Student, fromMine: ReadonlySet<Field>): Student {
  const merged: Record<string, unknown> = { ...theirs };
  for (const field of fromMine) merged[field] = mine[field];
  return merged as unknown as Student;
}
