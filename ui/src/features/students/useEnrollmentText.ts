import { useTranslation } from "react-i18next";
import type { School } from "@/gen/rollcall/provider/v1/school";
import type { SchoolEnrollment } from "@/gen/rollcall/provider/v1/student";

/** Words one enrollment: `Lincoln High School, primary, from 2026-08-17`. */
export function useEnrollmentText(schools: School[]) {
  const { t } = useTranslation("students");
  return ({ schoolSourcedId, roleType, beginDate, endDate, ended, exitReason }: SchoolEnrollment) =>
    [
      schools.find(({ sourcedId }) => sourcedId === schoolSourcedId)?.name ?? schoolSourcedId,
      roleType === "secondary" ? t("enrollment.secondary") : t("enrollment.primary"),
      beginDate && t("enrollment.from", { date: beginDate }),
      endDate && t("enrollment.until", { date: endDate }),
      ended && t("enrollment.endedWord"),
      exitReason,
    ]
      .filter(Boolean)
      .join(", ");
}
