import { Button, Modal, Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { formatCount, sum } from "@/components/format";
import { useDialogFocus } from "@/components/forms";
import { useMay } from "@/shell/session";
import { type PauseLength, usePause } from "./usePause";
import { type Listed, stateOf } from "./useSchools";

const LENGTHS: PauseLength[] = [900, 3_600, 14_400, 86_400, 0];
const RESUMABLE = new Set(["CONNECTION_STATE_PAUSED", "CONNECTION_STATE_HELD", "CONNECTION_STATE_DOWN"]);
const PAUSABLE = new Set(["CONNECTION_STATE_ACTIVE", "CONNECTION_STATE_FAILING"]);

/** Pauses a school, or ends its pause, hold or wait; nothing where neither is possible or allowed. */
export function PauseButton({ of, small = false }: { of: Listed; small?: boolean }) {
  const { t } = useTranslation("schools");
  const { pause, resume, busy } = usePause(of.school);
  const [asking, setAsking] = useState(false);
  const may = useMay("ROLE_OPERATOR");
  const { name } = of.school;
  const size = small ? "small" : "middle";
  if (!may) return null;
  if (RESUMABLE.has(stateOf(of))) {
    return (
      <Button size={size} loading={busy} aria-label={t("resume.actOn", { name })} onClick={resume}>
        {t("resume.act")}
      </Button>
    );
  }
  if (!PAUSABLE.has(stateOf(of))) return null;
  return (
    <>
      <Button size={size} aria-label={t("pause.actOn", { name })} onClick={() => setAsking(true)}>
        {t("pause.act")}
      </Button>
      <PauseDialog
        of={of}
        open={asking}
        busy={busy}
        onPause={(length) => pause(length, () => setAsking(false))}
        onCancel={() => setAsking(false)}
      />
    </>
  );
}

interface PauseDialogProps {
  of: Listed;
  open: boolean;
  busy: boolean;
  onPause: (length: PauseLength) => void;
  onCancel: () => void;
}

function PauseDialog({ of, open, busy, onPause, onCancel }: PauseDialogProps) {
  const { t } = useTranslation("schools");
  const { t: common } = useTranslation();
  const { first: cancel, afterOpenChange } = useDialogFocus();
  const [length, setLength] = useState<PauseLength>(3_600);
  const waiting = Number(of.school.figures?.pending ?? 0);
  return (
    <Modal
      open={open}
      title={t("pause.title", { name: of.school.name })}
      onCancel={onCancel}
      afterOpenChange={afterOpenChange}
      footer={[
        <Button key="cancel" ref={cancel} onClick={onCancel}>
          {common("act.cancel")}
        </Button>,
        <Button key="pause" type="primary" loading={busy} onClick={() => onPause(length)}>
          {t("pause.act")}
        </Button>,
      ]}
    >
      <div className="flex flex-col gap-3">
        <Radio.Group
          aria-label={t("pause.for")}
          vertical
          value={length}
          onChange={(event) => setLength(event.target.value as PauseLength)}
          options={LENGTHS.map((value) => ({ value, label: t(`pause.d${value}`) }))}
        />
        <p className="m-0">
          <Queue of={of} length={length} /> {waiting > 0 && t("pause.already", { count: waiting })}
        </p>
        <p className="m-0 text-text-3">{t("pause.kept")}</p>
      </div>
    </Modal>
  );
}

/** What a pause would make wait, going by the last 24 hours. */
function Queue({ of, length }: { of: Listed; length: PauseLength }) {
  const { t } = useTranslation("schools");
  const rate = of.strip ? (sum(of.strip.deliveredByHour) + sum(of.strip.failedByHour)) / 24 : 0;
  if (rate < 0.5) return <>{t("pause.quiet")}</>;
  const perHour = formatCount(Math.round(rate));
  if (length === 0) return <>{t("pause.queueOpen", { rate: perHour })}</>;
  const count = Math.max(1, Math.round((rate * length) / 3_600));
  return <>{t("pause.queue", { rate: perHour, total: formatCount(count) })}</>;
}
