import { Clock } from "lucide-react";
import { useTranslation } from "react-i18next";
import { formatDuration, formatRelative, Time } from "@/components/time";
import type { Attempt, AttemptDetail, Message } from "@/gen/rollcall/provider/v1/log";
import { codeText, StatusWord, triggerWord, tryText } from "../columns";

/** Every attempt of a message, oldest first, and what comes next. */
export function Timeline({
  message,
  chosen,
  onChoose,
}: {
  message: Message;
  /** The log sequence of the attempt that is looked at. */
  chosen: string;
  onChoose: (attempt: Attempt) => void;
}) {
  const { t } = useTranslation("webhookLog");
  const untold = message.attempts.some(({ attempt, requestedBy }) => !requestedBy && isManual(attempt));
  return (
    <div className="flex flex-col gap-3">
      <ol aria-label={t("timeline.attempts")} className="m-0 flex list-none flex-col p-0">
        {message.attempts.map((detail) => (
          <Step key={detail.attempt?.logSequence} detail={detail} chosen={chosen} onChoose={onChoose} />
        ))}
        <li className="flex items-center gap-2 py-2 text-text-2">
          <Clock size={14} aria-hidden className="text-text-3" />
          {message.nextAttemptAt ? (
            <span>
              {t("timeline.next", { relative: formatRelative(message.nextAttemptAt, Date.now()) })} ·{" "}
              <Time at={message.nextAttemptAt} />
            </span>
          ) : (
            t("timeline.nextProbe")
          )}
        </li>
      </ol>
      {untold && <p className="m-0 text-label text-text-3">{t("timeline.who")}</p>}
    </div>
  );
}

/** Whether somebody had it made. */
const isManual = (attempt?: Attempt) => attempt?.trigger === "resend" || attempt?.trigger === "replay";

function Step({
  detail: { attempt, responseHeaders, requestedBy },
  chosen,
  onChoose,
}: {
  detail: AttemptDetail;
  chosen: string;
  onChoose: (attempt: Attempt) => void;
}) {
  const { t } = useTranslation("webhookLog");
  if (!attempt) return null;
  const wait = responseHeaders.find(({ name }) => name.toLowerCase() === "retry-after")?.value;
  const here = attempt.logSequence === chosen;
  return (
    <li className="border-0 border-b border-solid border-hairline">
      <button
        type="button"
        aria-current={here}
        aria-label={t("timeline.show", { number: attempt.tryNumber })}
        className={`flex w-full flex-col gap-1 border-0 px-2 py-2 text-left ${here ? "bg-accent-selected" : "bg-transparent hover:bg-surface-2"}`}
        onClick={() => onChoose(attempt)}
      >
        <span className="flex flex-wrap items-center gap-2">
          <span className="font-medium text-text-1 tabular-nums">{tryText(attempt)}</span>
          <StatusWord t={t} status={attempt.status} />
          <span className="text-text-2">{codeText(t, attempt)}</span>
          <span className="ml-auto text-label text-text-3 tabular-nums">
            {formatDuration(attempt.latencyUs / 1_000)}
          </span>
        </span>
        <span className="flex flex-wrap gap-x-3 text-label text-text-3">
          <Time at={attempt.at} millis />
          <span title={t(`triggerWhy.${attempt.trigger}` as "triggerWhy.test", { defaultValue: "" })}>
            {requestedBy && isManual(attempt)
              ? t(attempt.trigger === "resend" ? "timeline.resendBy" : "timeline.replayBy", {
                  name: requestedBy.startsWith("school:") ? t("timeline.school") : requestedBy,
                })
              : triggerWord(t, attempt.trigger)}
          </span>
        </span>
        {attempt.explanation && <span className="text-label text-text-2">{attempt.explanation}</span>}
        {wait && attempt.cause === "rate_limited" && (
          <span className="text-label text-text-2">
            {t("timeline.retryAfter", { value: /^\d+$/.test(wait) ? `${wait} s` : wait })}
          </span>
        )}
      </button>
    </li>
  );
}
