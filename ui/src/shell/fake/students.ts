import type {
  ChangeResult,
  DeleteStudentRequest,
  EnrollStudentRequest,
  EraseStudentRequest,
  GetStudentRequest,
  ListStudentsRequest,
  PutStudentRequest,
  SchoolEnrollment,
  Student,
  TransferStudentRequest,
  WithdrawStudentRequest,
} from "@/gen/rollcall/provider/v1/student";
import { type Answers, refusal } from "./host";
import { districtOf, idOf, schoolOf } from "./seed";
import { push, type Roster, seedRosters } from "./studentSeed";

/** The names that a search and an order compare: without case and accents. */
const fold = (text: string | undefined) => (text ?? "").normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

const active = (student: Student | undefined) =>
  student?.status === "STUDENT_STATUS_ACTIVE"
    ? [...new Set(student.schoolEnrollments.filter(({ ended }) => !ended).map((one) => one.schoolSourcedId))]
    : [];

const bare = ({ version: _, dateLastModified: __, ...rest }: Student) => JSON.stringify(rest, Object.keys(rest).sort());

/** Student records in memory, with the server's rules as far as the screens show them. */
export function students(): Pick<Answers, "calls" | "streams"> {
  const rosters = seedRosters();
  const rosterOf = (district: string): Roster => {
    const roster = rosters.get(districtOf(district)?.id ?? "");
    if (!roster) throw refusal("not_found", `there is no district ${district}`);
    return roster;
  };
  const versionsOf = (request: GetStudentRequest) => {
    const versions = rosterOf(request.district).get(request.sourcedId);
    if (!versions) throw refusal("not_found", "there is no such student");
    return versions;
  };
  const current = (request: GetStudentRequest) => versionsOf(request)[0]?.student as Student;

  /** What the schools concerned are told, and the new version unless it is a dry run. */
  const change = (roster: Roster, before: Student | undefined, after: Student, dryRun: boolean): ChangeResult => {
    const same = before !== undefined && bare(before) === bare(after);
    const [was, will] = [active(before), active(after)];
    const told = same ? [] : [...new Set([...was, ...will])].sort();
    const gone = after.status === "STUDENT_STATUS_TOBEDELETED";
    const sends = told.map((sourcedId) => {
      const school = schoolOf(sourcedId);
      const stays = was.includes(sourcedId) && will.includes(sourcedId);
      const entered = before ? "student.enrolled" : "student.created";
      const left = gone ? "student.deleted" : "student.withdrawn";
      const eventType = stays ? "student.updated" : will.includes(sourcedId) ? entered : left;
      return {
        schoolId: school?.id ?? "",
        schoolSourcedId: sourcedId,
        schoolName: school?.name ?? sourcedId,
        eventType,
      };
    });
    const result = { changeId: "", events: 0, repeated: false, sends };
    if (dryRun || same)
      return {
        ...result,
        sends: dryRun ? sends : [],
        student: same ? before : { ...after, version: String(Number(after.version) + 1) },
      };
    const versions = roster.get(after.sourcedId) ?? [];
    roster.set(after.sourcedId, versions);
    const student = push(versions, after, "ada");
    return { ...result, student, changeId: idOf("chg", Number(student.version)), events: sends.length, sends: [] };
  };

  const move = (
    request: GetStudentRequest & { dryRun: boolean },
    enrollments: (now: SchoolEnrollment[]) => SchoolEnrollment[],
  ) => {
    const before = current(request);
    const after = { ...before, schoolEnrollments: enrollments(before.schoolEnrollments) };
    const still = after.schoolEnrollments.filter(({ ended }) => !ended);
    if (!still.some(({ schoolSourcedId }) => schoolSourcedId === after.primaryOrgSourcedId)) {
      after.primaryOrgSourcedId = still[0]?.schoolSourcedId;
    }
    return change(rosterOf(request.district), before, after, request.dryRun);
  };
  const end = (one: SchoolEnrollment, endDate?: string, exitReason?: string) => ({
    ...one,
    endDate,
    exitReason,
    ended: true,
  });
  const is = (one: SchoolEnrollment, school: string) =>
    !one.ended && one.schoolSourcedId === schoolOf(school)?.sourcedId;
  const enter = (school: string, beginDate?: string, roleType = "primary"): SchoolEnrollment => ({
    schoolSourcedId: schoolOf(school)?.sourcedId ?? "",
    roleType: roleType || "primary",
    beginDate,
    ended: false,
  });

  return {
    calls: {
      "StudentService/ListStudents": (request: ListStudentsRequest) => list(rosterOf(request.district), request),
      "StudentService/GetStudent": current,
      "StudentService/ListStudentVersions": (request: GetStudentRequest) => ({ versions: versionsOf(request) }),
      "StudentService/PutStudent": ({ district, student, dryRun }: PutStudentRequest) => {
        const roster = rosterOf(district);
        const put = student as Student;
        const before = roster.get(put.sourcedId)?.[0]?.student;
        check(put, districtOf(district)?.birthDate ?? false);
        if (put.version !== "0" && put.version !== before?.version) {
          const violations = [{ field: "version", message: `is not current: ${before?.version ?? "none"} is` }];
          throw refusal("aborted", "The student was changed meanwhile.", { violations });
        }
        return change(roster, before, { ...put, version: before?.version ?? "0" }, dryRun);
      },
      "StudentService/EnrollStudent": (request: EnrollStudentRequest) =>
        move(request, (now) => [
          ...now.filter((one) => !is(one, request.school)),
          enter(request.school, request.beginDate, request.roleType),
        ]),
      "StudentService/WithdrawStudent": (request: WithdrawStudentRequest) =>
        move(request, (now) =>
          now.map((one) => (is(one, request.school) ? end(one, request.endDate, request.exitReason) : one)),
        ),
      "StudentService/TransferStudent": (request: TransferStudentRequest) => {
        if (request.fromSchool === request.toSchool) {
          const violations = [{ field: "toSchool", message: "must be another school than fromSchool" }];
          throw refusal("invalid_argument", "the transfer is not possible", { violations });
        }
        return move(request, (now) => [
          ...now.map((one) =>
            is(one, request.fromSchool) ? end(one, request.effectiveDate, request.exitReason) : one,
          ),
          enter(request.toSchool, request.effectiveDate),
        ]);
      },
      "StudentService/DeleteStudent": (request: DeleteStudentRequest) => {
        const before = current(request);
        const after: Student = { ...before, status: "STUDENT_STATUS_TOBEDELETED" };
        return change(rosterOf(request.district), before, after, request.dryRun);
      },
      "StudentService/EraseStudent": (request: EraseStudentRequest) => {
        const versions = versionsOf(request);
        if (request.confirmSourcedId !== request.sourcedId) {
          throw refusal("invalid_argument", "the sourcedId typed is another one", {
            violations: [{ field: "confirmSourcedId", message: "must be the sourcedId" }],
          });
        }
        rosterOf(request.district).delete(request.sourcedId);
        const version = String(Number(versions[0]?.student?.version ?? 0) + 1);
        const answer = { studentId: idOf("stu", 1), version, events: 1 };
        return { ...answer, versionsDeleted: versions.length, bodiesDeleted: versions.length * 2 };
      },
    },
    streams: {},
  };
}

function list(roster: Roster, request: ListStudentsRequest) {
  const size = request.pageSize || 100;
  const from = Number(request.pageToken || 0);
  const school = request.school ? schoolOf(request.school)?.sourcedId : undefined;
  const search = fold(request.search);
  const deleted = request.status ? request.status === "STUDENT_STATUS_TOBEDELETED" : request.includeDeleted;
  const found = [...roster.values()]
    .map((versions) => versions[0]?.student as Student)
    .filter((one) =>
      one.status === "STUDENT_STATUS_TOBEDELETED" ? deleted : request.status !== "STUDENT_STATUS_TOBEDELETED",
    )
    .filter((one) => !school || active(one).includes(school))
    .filter((one) => !request.grades?.length || one.grades.some((grade) => request.grades.includes(grade)))
    .filter(
      (one) =>
        !search ||
        [
          `${one.preferredGivenName ?? one.givenName} ${one.preferredFamilyName ?? one.familyName}`,
          `${one.givenName} ${one.familyName}`,
          one.identifier,
          one.sourcedId,
        ].some((text) => fold(text).includes(search)),
    );
  const keys: Record<string, (one: Student) => string> = {
    family_name: (one) => `${fold(one.familyName)} ${fold(one.givenName)}`,
    given_name: (one) => `${fold(one.givenName)} ${fold(one.familyName)}`,
    date_last_modified: (one) => one.dateLastModified ?? "",
  };
  const key = keys[request.orderBy] ?? ((one: Student) => one.sourcedId);
  found.sort((a, b) => (key(a) < key(b) ? -1 : 1) * (request.descending ? -1 : 1));
  const next = from + size < found.length ? String(from + size) : "";
  return { students: found.slice(from, from + size), nextPageToken: next };
}

function check(student: Student, birthDates: boolean) {
  const violations: { field: string; message: string }[] = [];
  for (const field of ["givenName", "familyName"] as const) {
    if (!student[field].trim()) violations.push({ field, message: "is required" });
  }
  if (student.birthDate && !birthDates)
    violations.push({ field: "birthDate", message: "is switched off for this district" });
  if (!student.schoolEnrollments.length) {
    violations.push({ field: "schoolEnrollments", message: "needs at least one entry" });
  }
  for (const [index, { beginDate, endDate }] of student.schoolEnrollments.entries()) {
    if (beginDate && endDate && beginDate >= endDate) {
      const message = "must be after beginDate (it is the day after the last)";
      violations.push({ field: `schoolEnrollments[${index}].endDate`, message });
    }
  }
  if (violations.length) throw refusal("invalid_argument", "the student has faults", { violations });
}
