import { useTranslation } from "react-i18next";
import type { Column } from "@/components/DataGrid";
import { StatusPill } from "@/components/StatusPill";
import { Time } from "@/components/time";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import { TONES, total } from "./run";

/** The columns of the list of runs. */
export function useColumns(): Column<ImportRun>[] {
  const { t } = useTranslation("imports");
  const number = (text?: string) => Number(text ?? 0).toLocaleString("en");
  return [
    { id: "started", header: t("column.started"), width: "172px", cell: ({ startedAt }) => <Time at={startedAt} /> },
    { id: "state", header: t("column.state"), width: "156px", cell: (run) => <RunState run={run} /> },
    { id: "file", header: t("column.file"), width: "minmax(216px, 1.6fr)", cell: ({ fileName }) => fileName },
    {
      id: "kind",
      header: t("column.kind"),
      width: "92px",
      cell: ({ version, kind }) => (version ? `${version} ${kind}` : <span className="text-text-3">–</span>),
    },
    {
      id: "created",
      header: t("count.created"),
      width: "84px",
      align: "right",
      cell: ({ counts }) => (counts ? number(counts.created) : "–"),
    },
    {
      id: "updated",
      header: t("count.updated"),
      width: "92px",
      align: "right",
      cell: ({ counts }) => (counts ? number(counts.updated) : "–"),
    },
    {
      id: "deleted",
      header: t("count.deleted"),
      width: "92px",
      align: "right",
      cell: ({ counts }) => (counts ? number(counts.deleted) : "–"),
    },
    { id: "by", header: t("column.by"), width: "minmax(80px, 1fr)", cell: ({ startedBy }) => startedBy },
  ];
}

/** What a run is doing or became. */
export function RunState({ run }: { run: ImportRun }) {
  const { t } = useTranslation("imports");
  const applying = run.state === "IMPORT_STATE_APPLYING" && total(run.counts) > 0;
  const share = applying ? ` ${Math.floor((Number(run.applied) / total(run.counts)) * 100)} %` : "";
  return <StatusPill tone={TONES[run.state]} word={`${t(`state.${run.state}`)}${share}`} />;
}
