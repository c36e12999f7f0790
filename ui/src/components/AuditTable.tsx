import { useTranslation } from "react-i18next";
import type { AuditEntry } from "@/gen/rollcall/provider/v1/log";
import { Exact } from "./Copy";
import { type Column, DataGrid } from "./DataGrid";
import { Time } from "./time";

interface AuditTableProps {
  label: string;
  /** Newest first. */
  entries: AuditEntry[];
  /** Whether the ids concerned are shown. */
  subjects?: boolean;
  onNearEnd?: () => void;
  empty?: React.ReactNode;
}

/** Who did what and when. */
export function AuditTable({ label, entries, subjects = true, onNearEnd, empty }: AuditTableProps) {
  const { t } = useTranslation("audit");
  const columns: Column<AuditEntry>[] = [
    { id: "number", header: t("column.number"), width: "80px", align: "right", cell: (entry) => entry.number },
    { id: "at", header: t("column.at"), width: "168px", cell: (entry) => <Time at={entry.at} /> },
    {
      id: "actor",
      header: t("column.actor"),
      width: "minmax(140px, 1fr)",
      cell: (entry) => <Actor name={entry.actor} />,
    },
    { id: "act", header: t("column.act"), width: "minmax(200px, 1.4fr)", cell: (entry) => <ActWord act={entry.act} /> },
    ...(subjects
      ? [
          {
            id: "subject",
            header: t("column.subject"),
            width: "minmax(160px, 1.4fr)",
            cell: (entry: AuditEntry) => entry.subject && <Exact text={entry.subject} />,
          },
        ]
      : []),
    {
      id: "detail",
      header: t("column.detail"),
      width: "minmax(160px, 2fr)",
      cell: (entry) => <span title={entry.detail}>{entry.detail}</span>,
    },
  ];
  return (
    <div className={subjects ? "flex min-h-0 flex-1 flex-col" : "flex h-[480px] flex-col"}>
      <DataGrid
        label={label}
        rows={entries}
        rowKey={(entry) => entry.number}
        columns={columns}
        copyText={(entry) => entry.subject}
        onNearEnd={onNearEnd}
        empty={empty}
      />
    </div>
  );
}

/** `school.paused` in words; one that this console does not know as it came. */
function ActWord({ act }: { act: string }) {
  const { t } = useTranslation("audit");
  return <span title={act}>{t(`act.${act as "school.paused"}`, { defaultValue: act })}</span>;
}

/** `staff:ada` as `ada`; a school, a run and the server itself say what they are. */
function Actor({ name }: { name: string }) {
  const { t } = useTranslation("audit");
  if (name === "system") return <>{t("actor.system")}</>;
  const [kind, rest] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
  if (kind === "staff") return <>{rest}</>;
  return <>{kind === "school" || kind === "run" ? t(`actor.${kind}`, { name: rest }) : name}</>;
}
