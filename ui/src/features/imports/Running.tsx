import { Button, Progress } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { useTell } from "@/components/forms";
import { Section } from "@/components/Page";
import { formatDuration } from "@/components/time";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import { useMay } from "@/shell/session";
import { usePace } from "./pace";
import { work } from "./run";

const PHASES = ["uploading", "reading", "checking", "planning", "applying"] as const;

/** A run at work: phase, how much is done, how fast, how long yet. */
export function Running({ run }: { run: ImportRun }) {
  const { t } = useTranslation("imports");
  const tell = useTell();
  const mayCancel = useMay("ROLE_OPERATOR") && run.state !== "IMPORT_STATE_UNDOING";
  const cancel = useAct("ImportService/CancelImport", ["ImportService"]);
  const { unit, done, of } = work(run);
  const pace = usePace(`${run.id} ${run.state}`, done, of);
  const at = PHASES.indexOf(run.phase as (typeof PHASES)[number]);
  const number = (value: number) => Math.round(value).toLocaleString("en");
  return (
    <Section
      title={t("progress.title")}
      actions={
        mayCancel && (
          <Button loading={cancel.isPending} onClick={() => cancel.mutate({ run: run.id }, { onError: tell.failed })}>
            {t("act.cancel")}
          </Button>
        )
      }
    >
      {run.state !== "IMPORT_STATE_UNDOING" && (
        <ol aria-label={t("progress.phases")} className="m-0 mb-3 flex list-none flex-wrap gap-2 p-0">
          {PHASES.map((phase, index) => (
            <li
              key={phase}
              aria-current={index === at ? "step" : undefined}
              className={`rounded-chip px-2 py-0.5 text-label ${
                index === at ? "bg-accent-selected font-medium text-accent-text" : "text-text-3"
              }`}
            >
              {index < at ? "✓ " : ""}
              {t(`phase.${phase}`)}
            </li>
          ))}
        </ol>
      )}
      <Progress
        aria-label={t("progress.title")}
        percent={of > 0 ? Math.min(100, Math.floor((done / of) * 100)) : 0}
        status="active"
      />
      <div className="flex flex-wrap gap-x-4 text-text-2 tabular-nums">
        <span>{of > 0 ? t(`progress.${unit}`, { done: number(done), of: number(of) }) : t("progress.begun")}</span>
        {pace && <span>{t(`progress.pace.${unit}`, { rate: number(pace.perSecond) })}</span>}
        {pace?.leftMs != null && (
          <span>{t("progress.left", { time: formatDuration(Math.max(1_000, pace.leftMs)) })}</span>
        )}
      </div>
      <p role="status" className="sr-only">
        {t("progress.says", { phase: run.phase })}
      </p>
      <p className="mb-0 text-text-3">{t("progress.server")}</p>
    </Section>
  );
}
