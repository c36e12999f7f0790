import { Button } from "antd";
import { ShieldAlert, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Facts } from "@/components/Page";
import { CopyDetails } from "@/components/states";
import type { ShellFailure } from "@/shell/host";

const REASONS = [
  "code_typo",
  "code_expired",
  "code_used",
  "code_locked",
  "code_revoked",
  "code_compromised",
  "code_unknown",
  "code_refused",
  "too_many_tries",
  "other_school",
  "secret_gone",
  "wrong_server",
  "unreachable",
] as const;
type Reason = (typeof REASONS)[number] | "other";

/** Somebody else may hold what was meant for this school. */
const ALARMS: ReadonlySet<Reason> = new Set(["code_used", "code_compromised", "wrong_server"]);
/** The same code may work later. */
const PASSING: ReadonlySet<Reason> = new Set(["too_many_tries", "unreachable", "other"]);

function reasonOf(error: ShellFailure): Reason {
  if (error.code === "server_key_changed") return "wrong_server";
  const known = REASONS.find((reason) => reason === error.reason);
  if (known) return known;
  return error.code === "unavailable" || error.code === "deadline_exceeded" ? "unreachable" : "other";
}

/** Why the code was not redeemed, each cause with its own next step. A wrong server is a hard stop. */
export function Refused({
  error,
  busy,
  onAgain,
  onAnew,
}: {
  error: ShellFailure;
  busy: boolean;
  onAgain: () => void;
  onAnew: () => void;
}) {
  const { t } = useTranslation("deskEnroll");
  const reason = reasonOf(error);
  const alarm = ALARMS.has(reason);
  const Icon = alarm ? ShieldAlert : TriangleAlert;
  return (
    <div role="alert" data-reason={reason} className="flex flex-col gap-4">
      <div className={`flex items-start gap-3 ${alarm ? "rounded-card bg-failed-tint p-4" : ""}`}>
        <Icon size={28} className="shrink-0 text-failed" aria-hidden />
        <div className="flex min-w-0 flex-col gap-1">
          <h2 className="m-0 text-section font-semibold">{t(`refused.${reason}.title`)}</h2>
          <p className="m-0 break-words">{error.message}</p>
          <p className="m-0 text-text-2">{t(`refused.${reason}.next`)}</p>
        </div>
      </div>
      {error.keys && (
        <Facts
          facts={[
            [
              t("refused.expected"),
              <code key="expected" className="break-all">
                {error.keys.expected}
              </code>,
            ],
            [
              t("refused.shown"),
              <code key="shown" className="break-all">
                {error.keys.shown}
              </code>,
            ],
          ]}
        />
      )}
      <div className="flex flex-wrap gap-2">
        {PASSING.has(reason) && (
          <Button type="primary" loading={busy} onClick={onAgain}>
            {t("refused.again")}
          </Button>
        )}
        <Button type={PASSING.has(reason) || alarm ? "default" : "primary"} disabled={busy} onClick={onAnew}>
          {t("refused.newCode")}
        </Button>
        <CopyDetails error={error} />
      </div>
    </div>
  );
}
