import { useNavigate } from "@tanstack/react-router";
import { Button } from "antd";
import { KeyRound } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSecretPlace } from "@/components/desk";
import { Section } from "@/components/Page";
import type { Status } from "@/gen/rollcall/school/v1/receiver";

const REASONS = ["keychain_locked", "keychain_absent", "secret_gone"] as const;

/** A desk that had a secret and cannot read it, or has lost it: why nothing is received, and the way out. */
export function SecretProblem({
  status,
  busy,
  onAgain,
}: {
  status: Status & { secretErrorReason?: string };
  busy: boolean;
  onAgain: () => void;
}) {
  const { t } = useTranslation("deskStatus");
  const navigate = useNavigate();
  const place = useSecretPlace(status.secretStore);
  const reason = REASONS.find((known) => known === status.secretErrorReason) ?? "keychain_failed";
  const gone = reason === "secret_gone";
  return (
    <Section>
      <div role="alert" data-reason={reason} className="flex items-start gap-3">
        <KeyRound size={28} className="shrink-0 text-failed" aria-hidden />
        <div className="flex flex-col gap-2">
          <h2 className="m-0 text-section font-semibold">{t(`secret.${reason}.title`, { place })}</h2>
          <p className="m-0 text-text-2">{t(`secret.${reason}.text`, { place })}</p>
          <p className="m-0 text-label text-text-3">{status.secretError}</p>
          <div className="flex flex-wrap gap-2 pt-1">
            <Button type={gone ? "default" : "primary"} loading={busy} onClick={onAgain}>
              {t("secret.again")}
            </Button>
            <Button type={gone ? "primary" : "default"} onClick={() => void navigate({ to: "/enroll" as "/" })}>
              {t("secret.enroll")}
            </Button>
          </div>
        </div>
      </div>
    </Section>
  );
}
