import { useTranslation } from "react-i18next";
import { Facts } from "@/components/Page";
import { formatDuration } from "@/components/time";
import type { AttemptDetail } from "@/gen/rollcall/provider/v1/log";
import { codeText } from "../columns";
import { formatBytes } from "../looks";
import { Body } from "./Body";
import { Headers } from "./Headers";

/** What the school's system answered to one attempt, and how long it took. */
export function Response({ detail }: { detail: AttemptDetail }) {
  const { t } = useTranslation("webhookLog");
  const { attempt } = detail;
  if (!attempt) return null;
  const title = (
    <h3 className="m-0 text-label font-medium text-text-2">{t("response.of", { number: attempt.tryNumber })}</h3>
  );
  if (attempt.code === 0) {
    return (
      <div className="flex flex-col gap-2">
        {title}
        <p className="m-0">{t("response.none")}</p>
        <p className="m-0 text-text-2">
          {formatDuration(attempt.latencyUs / 1_000)} {t("response.total")}
        </p>
      </div>
    );
  }
  const first = attempt.firstByteUs;
  const share = attempt.latencyUs > 0 ? (first / attempt.latencyUs) * 100 : 0;
  return (
    <div className="flex flex-col gap-4">
      {title}
      <Facts
        facts={[
          [t("response.status"), codeText(t, attempt)],
          [
            t("response.time"),
            <div key="time" className="flex flex-col gap-1">
              <div aria-hidden className="flex h-2 overflow-hidden rounded-chip bg-surface-2">
                <span className="bg-queued-mark" style={{ width: `${share}%` }} />
                <span className="bg-retrying-mark" style={{ width: `${100 - share}%` }} />
              </div>
              <span>
                {formatDuration(first / 1_000)} {t("response.firstByte")},{" "}
                {formatDuration((attempt.latencyUs - first) / 1_000)} {t("response.rest")};{" "}
                {formatDuration(attempt.latencyUs / 1_000)} {t("response.total")}
              </span>
            </div>,
          ],
          [t("body.size"), formatBytes(attempt.responseBytes)],
        ]}
      />
      {detail.answerPurged ? (
        <p className="m-0 text-text-3">{t("response.purged")}</p>
      ) : (
        <>
          <Headers headers={detail.responseHeaders} title={t("body.headers")} />
          {detail.responseBody ? (
            <Body base64={detail.responseBody} label={t("body.label")} />
          ) : (
            <p className="m-0 text-text-3">{t("response.noBody")}</p>
          )}
        </>
      )}
    </div>
  );
}
