import { useNavigate } from "@tanstack/react-router";
import { Button } from "antd";
import { KeyRound } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSecretPlace } from "@/components/desk";
import { Section } from "@/components/Page";
import type { Status } from "@/gen/rollcall/school/v1/receiver";

/** A desk that had a secret and cannot read it, or has lost it: why nothing is received, and the way out. */
export function SecretProblem({ status, busy, onAgain }: { status: Status; busy: boolean; onAgain: () => void }) {
  const { t } = useTranslation("deskStatus");
  const navigate = useNavigate();
  const place = useSecretPlace(status.secretStore);
  const school = status.schoolName || status.schoolSourcedId;
  const unreadable = status.secretError !== "";
  return (
    <Section>
      <div role="alert" className="flex items-start gap-3">
        <KeyRound size={28} className="shrink-0 text-failed" aria-hidden />
        <div className="flex flex-col gap-2">
          <h2 className="m-0 text-section font-semibold">
            {unreadable ? t("secret.lockedTitle") : t("secret.goneTitle", { place })}
          </h2>
          <p className="m-0 text-text-2">
            {unreadable ? t("secret.lockedText", { place }) : t("secret.goneText", { school })}
          </p>
          {unreadable ? (
            <p className="m-0 text-label text-text-3">{status.secretError}</p>
          ) : (
            <p className="m-0">{t("secret.goneFix", { school })}</p>
          )}
          <div className="flex flex-wrap gap-2 pt-1">
            {unreadable && (
              <Button type="primary" loading={busy} onClick={onAgain}>
                {t("secret.again")}
              </Button>
            )}
            <Button type={unreadable ? "default" : "primary"} onClick={() => void navigate({ to: "/enroll" as "/" })}>
              {t("secret.enroll")}
            </Button>
          </div>
        </div>
      </div>
    </Section>
  );
}
