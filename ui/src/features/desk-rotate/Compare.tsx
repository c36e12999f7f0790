import { Alert, Button } from "antd";
import { ShieldCheck } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Fingerprint, useSecretPlace } from "@/components/desk";
import { Section } from "@/components/Page";
import { formatTime } from "@/components/time";
import { usePreferences } from "@/theme/preferences";

/** The new secret's six words, until a person has compared them. */
export function Compare({
  fingerprint,
  revoked,
  until,
  store,
  onDone,
}: {
  fingerprint: string;
  revoked: boolean;
  /** When the old secret stops signing; absent: not known. */
  until?: string;
  store: string;
  onDone: () => void;
}) {
  const { t } = useTranslation("deskRotate");
  const { zone } = usePreferences();
  const place = useSecretPlace(store);
  const [compared, setCompared] = useState<"same" | "differ" | null>(null);
  const old = revoked ? t("done.revoked") : until ? t("done.overlap", { time: formatTime(until, zone) }) : "";
  return (
    <Section>
      <div className="flex flex-col items-start gap-4">
        <div role="status" className="flex items-start gap-3">
          <ShieldCheck size={28} className="shrink-0 text-delivered-mark" aria-hidden />
          <div>
            <h2 className="m-0 text-section font-semibold">{t("done.title")}</h2>
            <p className="m-0 text-text-2">{`${t("done.stored", { place })} ${old}`}</p>
          </div>
        </div>
        <div className="self-stretch rounded-card bg-surface-2 p-4">
          <div className="mb-1 text-label font-medium text-text-2">{t("done.compare")}</div>
          <Fingerprint words={fingerprint} big />
          <p className="mt-1 mb-0 text-text-2">{t("done.compareText")}</p>
        </div>
        {compared === null && (
          <div className="flex gap-2">
            <Button type="primary" onClick={() => setCompared("same")}>
              {t("done.same")}
            </Button>
            <Button danger onClick={() => setCompared("differ")}>
              {t("done.differ")}
            </Button>
          </div>
        )}
        {compared === "same" && (
          <>
            <p className="m-0" role="status">
              {t("done.finished")}
            </p>
            <Button onClick={onDone}>{t("done.again")}</Button>
          </>
        )}
        {compared === "differ" && (
          <Alert
            type="error"
            showIcon
            role="alert"
            className="self-stretch"
            title={t("done.differTitle")}
            description={t("done.differText")}
          />
        )}
      </div>
    </Section>
  );
}
