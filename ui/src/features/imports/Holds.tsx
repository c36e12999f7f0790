import { Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { TypedConfirm, useTell } from "@/components/forms";
import { Section } from "@/components/Page";
import { StatusPill } from "@/components/StatusPill";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import { useMay } from "@/shell/session";
import { deletesMany, total } from "./run";

/** A run that waits for somebody: why, and what can be decided. */
export function Holds({ run, district }: { run: ImportRun; district: string }) {
  const { t } = useTranslation("imports");
  const tell = useTell();
  const mayDecide = useMay("ROLE_OPERATOR");
  const [confirming, setConfirming] = useState(false);
  const approve = useAct("ImportService/ApproveImport", ["ImportService"]);
  const discard = useAct("ImportService/DiscardImport", ["ImportService"]);
  const busy = approve.isPending || discard.isPending;
  const deleted = Number(run.counts?.deleted ?? 0);
  const go = (withoutDeletions: boolean) =>
    approve.mutate({ run: run.id, withoutDeletions }, { onError: tell.failed, onSettled: () => setConfirming(false) });
  const reasons = run.holds.filter(({ code }) => code !== "review");
  return (
    <Section title={reasons.length > 0 ? t("hold.title") : t("hold.reviewTitle")}>
      {reasons.length > 0 ? (
        <ul aria-label={t("hold.reasons")} className="m-0 mb-3 flex list-none flex-col gap-2 p-0">
          {reasons.map((hold) => (
            <li key={`${hold.code} ${hold.schoolSourcedId}`} className="flex flex-wrap items-center gap-2">
              <StatusPill tone="retrying" word={t(`hold.code.${hold.code}` as "hold.code.deletions", hold.code)} />
              <span>{hold.message}</span>
            </li>
          ))}
        </ul>
      ) : (
        <p className="mt-0">{t("hold.review", { count: total(run.counts) })}</p>
      )}
      <p className="mb-3 text-text-3">{t("hold.nothing")}</p>
      {mayDecide ? (
        <div className="flex flex-wrap gap-2">
          <Button
            type="primary"
            loading={approve.isPending}
            disabled={busy}
            onClick={() => (deletesMany(run) ? setConfirming(true) : go(false))}
          >
            {t("act.approve", { count: total(run.counts) })}
          </Button>
          {deleted > 0 && (
            <Button disabled={busy} onClick={() => go(true)}>
              {t("act.withoutDeletions")}
            </Button>
          )}
          <Button
            disabled={busy}
            loading={discard.isPending}
            onClick={() =>
              discard.mutate({ run: run.id }, { onSuccess: () => tell.done(t("discarded")), onError: tell.failed })
            }
          >
            {t("act.discard")}
          </Button>
        </div>
      ) : (
        <p className="m-0 text-text-3">{t("hold.role")}</p>
      )}
      <TypedConfirm
        open={confirming}
        title={t("hold.confirmTitle", { count: deleted })}
        text={t("hold.confirmText", { count: deleted, district })}
        name={district}
        verb={t("hold.confirmVerb", { count: deleted })}
        busy={approve.isPending}
        onConfirm={() => go(false)}
        onCancel={() => setConfirming(false)}
      />
    </Section>
  );
}
