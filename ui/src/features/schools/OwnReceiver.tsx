import { Button, Spin } from "antd";
import { CircleCheck } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useTell } from "@/components/forms";
import { Section } from "@/components/Page";
import { formatTime } from "@/components/time";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { useProviderHost } from "@/shell/context";
import { useMay } from "@/shell/session";
import { usePreferences } from "@/theme/preferences";

/** For a school with its own receiver: leads to the one window that ever shows a secret. */
export function OwnReceiver({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const { zone } = usePreferences();
  const host = useProviderHost();
  const tell = useTell();
  const may = useMay("ROLE_OPERATOR");
  const active = school.connection?.secrets.find(({ state }) => state === "active");
  return (
    <Section title={t("own.title")}>
      <div className="flex flex-col items-start gap-3">
        {!active && <p className="m-0 text-text-2">{t("own.why")}</p>}
        {!active && may && (
          <Button type="primary" onClick={() => void host.openSecretWindow(school.id, false).catch(tell.failed)}>
            {t("own.show")}
          </Button>
        )}
        <div role="status">
          {active ? (
            <span className="flex flex-col gap-1">
              <span className="flex items-center gap-2 font-medium">
                <CircleCheck size={16} aria-hidden className="shrink-0 text-delivered" />
                {t("own.shown", { time: active.createdAt ? formatTime(active.createdAt, zone).slice(0, 16) : "" })}
              </span>
              <strong className="font-mono">{active.fingerprint}</strong>
            </span>
          ) : (
            <span className="flex items-center gap-2 text-text-2">
              <Spin size="small" />
              {t("own.waiting")}
            </span>
          )}
        </div>
      </div>
    </Section>
  );
}
