import { Spin } from "antd";
import { CircleCheck } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { formatTime, Time } from "@/components/time";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { usePreferences } from "@/theme/preferences";

/** How far a school's code is: out, redeemed, confirmed, or void. `shown`: the code itself stands on the screen. */
export function CodeProgress({ school, shown }: { school: School; shown: boolean }) {
  return (
    <div role="status" className="flex flex-col gap-2 empty:hidden">
      <Progress school={school} shown={shown} />
    </div>
  );
}

function Progress({ school, shown }: { school: School; shown: boolean }): ReactNode {
  const { t } = useTranslation("schools");
  const { zone } = usePreferences();
  const code = school.connection?.code || undefined;
  if (!code) return null;
  const host = code.redeemedByHost || t("code.unknownHost");
  const time = code.redeemedAt ? formatTime(code.redeemedAt, zone).slice(0, 16) : "";
  switch (code.state) {
    case "issued":
      return (
        <>
          <Waiting>{t("code.waiting")}</Waiting>
          {!shown && (
            <span className="text-text-2">
              {t("code.out", { by: code.issuedBy })} {t("code.expires")} <Time at={code.expiresAt} />.
            </span>
          )}
        </>
      );
    case "claimed":
      return <Waiting>{t("code.claimed", { host, time })}</Waiting>;
    case "confirmed":
      return (
        <>
          <span className="flex items-center gap-2 font-medium">
            <CircleCheck size={16} aria-hidden className="text-delivered" />
            {t("code.redeemed", { host, time })}
          </span>
          <Words school={school} />
        </>
      );
    case "expired":
      return t("code.expiredText");
    case "locked":
      return t("code.lockedText");
    case "revoked":
      return t("code.revokedText");
    default:
      return null;
  }
}

function Waiting({ children }: { children: ReactNode }) {
  return (
    <span className="flex items-center gap-2">
      <Spin size="small" />
      {children}
    </span>
  );
}

/** The six words that both consoles show. */
function Words({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const active = school.connection?.secrets.find(({ state }) => state === "active");
  if (!active) return null;
  return (
    <span>
      <strong className="font-mono text-text-1">{active.fingerprint}</strong>
      <span className="block text-label text-text-3">{t("code.compare")}</span>
    </span>
  );
}
