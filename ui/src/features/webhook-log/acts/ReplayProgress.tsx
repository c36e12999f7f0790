import { Progress } from "antd";
import { useTranslation } from "react-i18next";
import type { Queued } from "./useReplay";

/** How far a replay is. The server does it: closing the window does not stop it. */
export function ReplayProgress({ queued: { messages, refused, done, delivered, since, last } }: { queued: Queued }) {
  const { t } = useTranslation("webhookLog");
  const finished = done >= messages;
  const rate = done / Math.max(1, (last - since) / 1_000);
  return (
    <div role="status" className="flex flex-col gap-2">
      <strong className="text-section">{t("replay.queued", { count: messages })}</strong>
      {refused > 0 && <span className="text-text-2">{t("replay.refused", { count: refused })}</span>}
      {messages > 0 && (
        <>
          <Progress
            aria-label={t("replay.title")}
            percent={Math.floor((done / messages) * 100)}
            showInfo={false}
            strokeColor="var(--delivered-mark)"
          />
          <span className="tabular-nums text-text-2">
            {t("replay.progress", {
              done: done.toLocaleString("en"),
              number: messages.toLocaleString("en"),
              delivered: delivered.toLocaleString("en"),
              failed: (done - delivered).toLocaleString("en"),
            })}
            {!finished && rate >= 1 && <> · {t("replay.rate", { rate: Math.round(rate) })}</>}
          </span>
          <span className="text-text-3">{t(finished ? "replay.done" : "replay.goesOn")}</span>
        </>
      )}
    </div>
  );
}
