import { Button, Input, Radio } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Overlap } from "./useOnce";

const OVERLAPS = [86_400, 259_200, 604_800] as const;

interface AskProps {
  rotates: boolean;
  /** Empty until it is known. */
  name: string;
  busy: boolean;
  onAsk: (overlap: Overlap) => void;
  onClose: () => void;
}

/** What is about to happen, and the one press that makes it happen. */
export function Ask({ rotates, name, busy, onAsk, onClose }: AskProps) {
  const { t } = useTranslation("secretOnce");
  const { t: common } = useTranslation();
  const [overlap, setOverlap] = useState<Overlap>(86_400);
  const [typed, setTyped] = useState("");
  const revokes = rotates && overlap === "leaked";
  const verb = !rotates ? t("show") : revokes ? t("revoke") : t("rotate");
  return (
    <>
      <p className="m-0 text-text-2">{rotates ? t("rotateText") : t("showText")}</p>
      {rotates && (
        <div className="flex flex-col gap-2">
          <span className="text-text-2">{t("overlap")}</span>
          <Radio.Group
            aria-label={t("overlap")}
            vertical
            disabled={busy}
            value={overlap}
            onChange={(event) => setOverlap(event.target.value as Overlap)}
            options={[
              ...OVERLAPS.map((value) => ({ value, label: t(`o${value}`) })),
              { value: "leaked", label: t("leaked") },
            ]}
          />
        </div>
      )}
      {revokes && (
        <Input
          aria-label={t("typeName", { name })}
          placeholder={t("typeName", { name })}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
      )}
      <div className="mt-auto flex justify-end gap-2">
        <Button autoFocus disabled={busy} onClick={onClose}>
          {common("act.cancel")}
        </Button>
        <Button
          type="primary"
          danger={revokes}
          loading={busy}
          disabled={revokes && (name === "" || typed !== name)}
          onClick={() => onAsk(overlap)}
        >
          {verb}
        </Button>
      </div>
    </>
  );
}
