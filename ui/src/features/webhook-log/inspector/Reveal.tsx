import { Button } from "antd";
import { EyeOff } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Message } from "@/gen/rollcall/provider/v1/log";
import { usePreferences } from "@/theme/preferences";
import type { Revealing } from "./useMessage";

/** What stands in a body's place until it is revealed; the server writes each reveal to the audit log. */
export function Reveal({ message, reveal }: { message: Message; reveal: Revealing }) {
  const { t } = useTranslation("webhookLog");
  const { hidePersonal } = usePreferences();
  if (!message.bodySha256)
    return <p className="m-0 text-text-3">{t(message.bodyPurged ? "body.purged" : "body.notKept")}</p>;
  return (
    <div className="flex flex-col items-start gap-2 rounded-control border border-solid border-hairline bg-surface-2 p-4">
      <p className="m-0 flex items-center gap-2">
        <EyeOff size={16} aria-hidden className="shrink-0 text-text-3" />
        {t("body.masked")}
      </p>
      {hidePersonal ? (
        <p className="m-0 text-text-2">{t("body.hidden")}</p>
      ) : (
        <>
          <p className="m-0 text-label text-text-3">{t("body.maskedHint")}</p>
          <Button loading={reveal.busy} onClick={reveal.run}>
            {t("body.reveal")}
          </Button>
        </>
      )}
      {reveal.error && (
        <p role="alert" className="m-0 text-failed">
          {reveal.error.message}
        </p>
      )}
    </div>
  );
}
