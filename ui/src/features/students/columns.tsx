import { useTranslation } from "react-i18next";
import type { Column } from "@/components/DataGrid";
import { Personal } from "@/components/personal";
import { StatusPill } from "@/components/StatusPill";
import { Time } from "@/components/time";
import type { Student } from "@/gen/rollcall/provider/v1/student";
import { activeAt, isDeleted } from "./student";

/** The grid's columns; a preferred name stands before the legal one. */
export function useColumns(nameOf: (sourcedId: string) => string): Column<Student>[] {
  const { t } = useTranslation("students");
  return [
    {
      id: "family",
      header: t("field.familyName"),
      width: "minmax(110px, 1fr)",
      sortable: true,
      cell: (student) => <Name used={student.preferredFamilyName} legal={student.familyName} />,
    },
    {
      id: "given",
      header: t("field.givenName"),
      width: "minmax(110px, 1fr)",
      sortable: true,
      cell: (student) => <Name used={student.preferredGivenName} legal={student.givenName} />,
    },
    { id: "grade", header: t("field.grades"), width: "76px", cell: ({ grades }) => grades.join(", ") },
    {
      id: "schools",
      header: t("column.schools"),
      width: "minmax(160px, 1.6fr)",
      cell: (student) =>
        activeAt(student)
          .map(({ schoolSourcedId }) => nameOf(schoolSourcedId))
          .join(", "),
    },
    {
      id: "identifier",
      header: t("field.identifier"),
      width: "124px",
      cell: ({ identifier }) => <Personal>{identifier ?? ""}</Personal>,
    },
    {
      id: "sourcedId",
      header: t("column.sourcedId"),
      width: "104px",
      sortable: true,
      cell: ({ sourcedId }) => <code>{sourcedId}</code>,
    },
    {
      id: "status",
      header: t("field.status"),
      width: "162px",
      cell: (student) =>
        isDeleted(student) ? (
          <StatusPill tone="paused" word={t("status.deleted")} />
        ) : (
          <span className="text-text-3">{t("status.active")}</span>
        ),
    },
    {
      id: "changed",
      header: t("column.changed"),
      width: "170px",
      sortable: true,
      cell: ({ dateLastModified }) => <Time at={dateLastModified} />,
    },
  ];
}

function Name({ used, legal }: { used?: string; legal: string }) {
  if (!used || used === legal) return <Personal>{legal}</Personal>;
  return (
    <Personal>
      {used} <span className="text-text-3">({legal})</span>
    </Personal>
  );
}
