import { useNavigate } from "@tanstack/react-router";
import { Button } from "antd";
import { ShieldCheck } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Fingerprint, useSecretPlace } from "@/components/desk";
import type { Enrolled } from "@/shell/host";

/** The secret is stored; its six words are to be compared. */
export function Done({ enrolled }: { enrolled: Enrolled }) {
  const { t } = useTranslation("deskEnroll");
  const navigate = useNavigate();
  const place = useSecretPlace(enrolled.secretStore);
  return (
    <div className="flex flex-col gap-5">
      <div role="status" className="flex items-start gap-3">
        <ShieldCheck size={28} className="shrink-0 text-delivered-mark" aria-hidden />
        <div>
          <h2 className="m-0 text-section font-semibold">{t("done.title", { place })}</h2>
          <p className="m-0 text-text-2">
            {enrolled.alreadyYours ? t("done.yours") : t("done.text", { school: enrolled.schoolName })}
          </p>
        </div>
      </div>
      <div className="rounded-card bg-surface-2 p-4">
        <div className="mb-1 text-label font-medium text-text-2">{t("done.compare")}</div>
        <Fingerprint words={enrolled.fingerprint} big />
        <p className="mt-1 mb-0 text-text-2">{t("done.compareText")}</p>
      </div>
      <div>
        <Button type="primary" onClick={() => void navigate({ to: "/" })}>
          {t("done.next")}
        </Button>
      </div>
    </div>
  );
}
