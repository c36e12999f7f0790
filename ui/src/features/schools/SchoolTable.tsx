import { useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ConnectionPill } from "@/components/connection";
import { type Column, DataGrid } from "@/components/DataGrid";
import { formatCount, formatPerMille } from "@/components/format";
import { HourStrip } from "@/components/HourStrip";
import { Time } from "@/components/time";
import { Enrollment, InSync, SecretAge } from "./facts";
import { type Listed, stateOf } from "./useSchools";

/** The same schools as lines, for many. */
export function SchoolTable({ schools, empty }: { schools: Listed[]; empty: ReactNode }) {
  const { t } = useTranslation("schools");
  const navigate = useNavigate();
  const columns: Column<Listed>[] = [
    {
      id: "school",
      header: t("column.school"),
      width: "minmax(180px, 2fr)",
      cell: ({ school }) => <span className="font-medium">{school.name}</span>,
    },
    { id: "state", header: t("column.state"), width: "164px", cell: (one) => <ConnectionPill state={stateOf(one)} /> },
    {
      id: "hours",
      header: t("column.hours"),
      width: "124px",
      cell: ({ strip }) => <HourStrip delivered={strip?.deliveredByHour ?? []} failed={strip?.failedByHour ?? []} />,
    },
    {
      id: "share",
      header: t("column.share"),
      width: "90px",
      align: "right",
      cell: ({ share }) => (share === undefined ? "–" : formatPerMille(share)),
    },
    {
      id: "pending",
      header: t("column.pending"),
      width: "84px",
      align: "right",
      cell: ({ school }) => {
        const { pending = 0, parked = 0, held = 0 } = school.figures ?? {};
        return formatCount(Number(pending) + Number(parked) + Number(held));
      },
    },
    {
      id: "last",
      header: t("column.last"),
      width: "120px",
      cell: ({ connection }) => <Time at={connection?.lastDeliveredAt} relative />,
    },
    { id: "sync", header: t("column.sync"), width: "104px", cell: () => <InSync /> },
    {
      id: "secret",
      header: t("column.secret"),
      width: "110px",
      cell: ({ connection }) => <SecretAge connection={connection} />,
    },
    {
      id: "enrollment",
      header: t("column.enrollment"),
      width: "minmax(170px, 1fr)",
      cell: ({ connection }) => <Enrollment connection={connection} />,
    },
    {
      id: "host",
      header: t("column.host"),
      width: "minmax(200px, 1.4fr)",
      cell: ({ urlHost }) => <code>{urlHost || t("card.noAddress")}</code>,
    },
  ];
  return (
    <DataGrid
      label={t("title")}
      rows={schools}
      rowKey={({ school }) => school.id}
      columns={columns}
      copyText={({ school }) => school.id}
      onOpen={({ school }) => void navigate({ to: "/schools/$school", params: { school: school.id } })}
      empty={empty}
    />
  );
}
