import { Progress } from "antd";
import { useTranslation } from "react-i18next";
import type { Cancelled, Queued } from "./useReplay";

/** How far a replay is. The server does it: closing the window does not stop it. */
export function ReplayProgress({ queued, cancelled }: { queued: Queued; cancelled: Cancelled | null }) {
  const { messages, refused, done, delivered, since, last } = queued;
  const { t } = useTranslation("webhookLog");
  const finished = done >= messages;
  const inNumbers = (count: number) => count.toLocaleString("en");
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
              done: inNumbers(done),
              number: inNumbers(messages),
              delivered: inNumbers(delivered),
              failed: inNumbers(done - delivered),
            })}
            {!finished && !cancelled && rate >= 1 && <> · {t("replay.rate", { rate: Math.round(rate) })}</>}
          </span>
          {cancelled ? (
            <span className="text-text-1">
              {t("replay.cancelled", { count: cancelled.restored, number: inNumbers(cancelled.restored) })}{" "}
              {t("replay.begun", { count: cancelled.begun, number: inNumbers(cancelled.begun) })}
            </span>
          ) : (
            <span className="text-text-3">{t(finished ? "replay.done" : "replay.goesOn")}</span>
          )}
        </>
      )}
    </div>
  );
}
