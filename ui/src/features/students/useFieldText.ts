import { useTranslation } from "react-i18next";
import type { School } from "@/gen/rollcall/provider/v1/school";
import type { SchoolEnrollment, Student } from "@/gen/rollcall/provider/v1/student";
import { type Field, fieldText } from "./student";

/** Words one enrollment: `Lincoln High School, primary, from 2026-08-17`. */
export function useEnrollmentText(schools: School[]) {
  const { t } = useTranslation("students");
  return ({ schoolSourcedId, roleType, beginDate, endDate, ended, exitReason }: SchoolEnrollment) =>
    [
      nameIn(schools, schoolSourcedId),
      roleType === "secondary" ? t("enrollment.secondary") : t("enrollment.primary"),
      beginDate && t("enrollment.from", { date: beginDate }),
      endDate && t("enrollment.until", { date: endDate }),
      ended && t("enrollment.endedWord"),
      exitReason,
    ]
      .filter(Boolean)
      .join(", ");
}

/** A field's value for people; empty where there is none. */
export function useFieldText(schools: School[]) {
  const { t } = useTranslation("students");
  const enrollment = useEnrollmentText(schools);
  return (student: Student, field: Field) => {
    const text = fieldText(student, field, enrollment);
    if (field === "status") return t(text === "STUDENT_STATUS_TOBEDELETED" ? "status.deleted" : "status.active");
    if (field === "enabledUser") return t(text === "true" ? "yes" : "no");
    return field === "primaryOrgSourcedId" ? nameIn(schools, text) : text;
  };
}

const nameIn = (schools: School[], id: string) => schools.find(({ sourcedId }) => sourcedId === id)?.name ?? id;
