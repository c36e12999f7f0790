import { Alert, Button, Modal } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { useDialogFocus, useTell } from "@/components/forms";
import { formatTime } from "@/components/time";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import { useMay } from "@/shell/session";
import { usePreferences } from "@/theme/preferences";
import { total, undoUntil } from "./run";

const LOOKS = {
  IMPORT_STATE_APPLIED: "success",
  IMPORT_STATE_FAILED: "error",
  IMPORT_STATE_CANCELLED: "warning",
} as const;

/** How a run ended, and for a day the way back. */
export function Outcome({ run }: { run: ImportRun }) {
  const { t } = useTranslation("imports");
  const { t: common } = useTranslation();
  const { zone } = usePreferences();
  const tell = useTell();
  const mayUndo = useMay("ROLE_OPERATOR");
  const [asking, setAsking] = useState(false);
  const { first: cancel, afterOpenChange } = useDialogFocus();
  const undo = useAct("ImportService/UndoImport", ["ImportService"]);
  const until = undoUntil(run, Date.now());
  const applied = Number(run.applied).toLocaleString("en");
  const says = {
    applied,
    of: total(run.counts).toLocaleString("en"),
    skipped: Number(run.undoSkipped).toLocaleString("en"),
  };
  return (
    <>
      <Alert
        showIcon
        role="status"
        type={LOOKS[run.state as keyof typeof LOOKS] ?? "info"}
        title={t(`outcome.${run.state}` as "outcome.IMPORT_STATE_APPLIED", says)}
        description={
          run.error ||
          (until ? t("outcome.undoUntil", { time: formatTime(new Date(until), zone).slice(0, 16) }) : undefined)
        }
        action={
          until &&
          mayUndo && (
            <Button size="small" onClick={() => setAsking(true)}>
              {t("act.undo")}
            </Button>
          )
        }
      />
      <Modal
        open={asking}
        title={t("undo.title")}
        onCancel={() => setAsking(false)}
        afterOpenChange={afterOpenChange}
        footer={[
          <Button key="cancel" ref={cancel} onClick={() => setAsking(false)}>
            {common("act.cancel")}
          </Button>,
          <Button
            key="undo"
            type="primary"
            danger
            loading={undo.isPending}
            onClick={() => undo.mutate({ run: run.id }, { onError: tell.failed, onSettled: () => setAsking(false) })}
          >
            {t("undo.verb")}
          </Button>,
        ]}
      >
        <p>{t("undo.text", { applied })}</p>
      </Modal>
    </>
  );
}
