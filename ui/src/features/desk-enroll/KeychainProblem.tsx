import { Button } from "antd";
import { KeyRound } from "lucide-react";
import { useTranslation } from "react-i18next";
import { secretPlace, useSecretPlace } from "@/components/desk";
import { CopyDetails } from "@/components/states";
import type { ShellFailure } from "@/shell/host";

const KINDS = ["keychain_locked", "keychain_absent", "keychain_differs"] as const;

/** The secret could not be kept: why, what to do on this system, and that the code is still good. */
export function KeychainProblem({
  error,
  busy,
  onAgain,
  onBack,
}: {
  error: ShellFailure;
  busy: boolean;
  onAgain: () => void;
  onBack: () => void;
}) {
  const { t } = useTranslation("deskEnroll");
  const place = useSecretPlace("keychain");
  const system = secretPlace("keychain") as "linux" | "mac" | "windows";
  const kind = KINDS.find((known) => known === error.reason || known === error.code) ?? "keychain_failed";
  return (
    <div role="alert" className="flex flex-col gap-4">
      <div className="flex items-start gap-3">
        <KeyRound size={28} className="shrink-0 text-failed" aria-hidden />
        <div className="flex flex-col gap-1">
          <h2 className="m-0 text-section font-semibold">{t(`keychain.${kind}.title`)}</h2>
          <p className="m-0 text-text-2">{t(`keychain.${kind}.text`, { place })}</p>
          <p className="m-0">{t(`keychain.${kind}.${system}`)}</p>
          <p className="m-0 text-label text-text-3">{error.message}</p>
        </div>
      </div>
      <div className="flex flex-wrap gap-2">
        <Button type="primary" loading={busy} onClick={onAgain}>
          {kind === "keychain_locked" ? t("keychain.unlocked") : t("keychain.again")}
        </Button>
        <Button disabled={busy} onClick={onBack}>
          {t("keychain.back")}
        </Button>
        <CopyDetails error={error} />
      </div>
    </div>
  );
}
