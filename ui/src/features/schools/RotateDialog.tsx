import { Button, Modal, Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useDialogFocus } from "@/components/forms";

const OVERLAPS = [86_400, 259_200, 604_800] as const;

interface RotateDialogProps {
  name: string;
  open: boolean;
  busy: boolean;
  onRotate: (overlapS: number) => void;
  onCancel: () => void;
}

/** A rotation for a school's app: how long the old key signs beside the new one. */
export function RotateDialog({ name, open, busy, onRotate, onCancel }: RotateDialogProps) {
  const { t } = useTranslation("schools");
  const { t: common } = useTranslation();
  const { first: cancel, afterOpenChange } = useDialogFocus();
  const [overlapS, setOverlap] = useState<(typeof OVERLAPS)[number]>(86_400);
  return (
    <Modal
      open={open}
      title={t("rotate.title", { name })}
      onCancel={onCancel}
      afterOpenChange={afterOpenChange}
      footer={[
        <Button key="cancel" ref={cancel} onClick={onCancel}>
          {common("act.cancel")}
        </Button>,
        <Button key="rotate" type="primary" loading={busy} onClick={() => onRotate(overlapS)}>
          {t("rotate.do")}
        </Button>,
      ]}
    >
      <div className="flex flex-col gap-3">
        <p className="m-0">{t("rotate.text")}</p>
        <span className="text-text-2">{t("rotate.overlap")}</span>
        <Radio.Group
          aria-label={t("rotate.overlap")}
          vertical
          value={overlapS}
          onChange={(event) => setOverlap(event.target.value as (typeof OVERLAPS)[number])}
          options={OVERLAPS.map((value) => ({ value, label: t(`rotate.o${value}`) }))}
        />
      </div>
    </Modal>
  );
}
