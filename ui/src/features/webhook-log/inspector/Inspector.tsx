import { Button, Skeleton, Tabs, Tooltip } from "antd";
import { ChevronDown, ChevronUp, Send, X } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Term } from "@/api/logFilter";
import { IconButton } from "@/components/frame";
import { Loaded } from "@/components/states";
import type { Attempt, Message } from "@/gen/rollcall/provider/v1/log";
import { useMay } from "@/shell/session";
import type { Resending } from "../acts/useResend";
import { StatusWord, tryText } from "../columns";
import { ResentPill } from "../ResentPill";
import { Diff } from "./Diff";
import { MessageFacts } from "./MessageFacts";
import { Request } from "./Request";
import { Response } from "./Response";
import { Signature } from "./Signature";
import { Timeline } from "./Timeline";
import { useMessage } from "./useMessage";
import { Why } from "./Why";

/** One attempt and its message: what happened, what was sent, what came back. */
export function Inspector({
  row,
  resending,
  onTerm,
  onStep,
  onClose,
}: {
  row: Attempt;
  resending: Resending;
  onTerm: (term: Term, excluded: boolean) => void;
  /** To the next newer row (-1) or the next older one (1). */
  onStep: (by: -1 | 1) => void;
  onClose: () => void;
}) {
  const { t } = useTranslation("webhookLog");
  const { t: c } = useTranslation();
  const operator = useMay("ROLE_OPERATOR");
  const { query, body, reveal } = useMessage(row.messageId);
  // Another attempt of the same message, chosen in the timeline.
  const [other, setOther] = useState<Attempt | null>(null);
  useEffect(() => setOther(null), [row]);
  const attempt = other ?? row;
  const resent = resending.resent.get(row.messageId);
  const refused = resending.error?.message === row.messageId ? resending.error.error : null;
  const tabs = (message: Message) => {
    const detail = message.attempts.find((known) => known.attempt?.logSequence === attempt.logSequence);
    const timeline = <Timeline message={message} chosen={attempt.logSequence} onChoose={setOther} />;
    const response = detail ? <Response detail={detail} /> : <Skeleton active />;
    return [
      { key: "timeline", label: t("inspector.timeline"), children: timeline },
      {
        key: "request",
        label: t("inspector.request"),
        children: <Request message={message} body={body} reveal={reveal} />,
      },
      { key: "response", label: t("inspector.response"), children: response },
      { key: "signature", label: t("inspector.signature"), children: <Signature message={message} /> },
      { key: "diff", label: t("inspector.diff"), children: <Diff message={message} body={body} reveal={reveal} /> },
    ];
  };
  return (
    <>
      <header className="flex min-h-11 items-center gap-2 border-0 border-b border-solid border-hairline py-1 pr-2 pl-4">
        <StatusWord t={t} status={attempt.status} />
        <h2 className="m-0 truncate text-section font-semibold">
          {t("timeline.attempt", { number: tryText(attempt) })}
        </h2>
        <span className="ml-auto flex items-center">
          <IconButton icon={ChevronUp} label={c("act.back")} onClick={() => onStep(-1)} />
          <IconButton icon={ChevronDown} label={c("act.next")} onClick={() => onStep(1)} />
          <IconButton icon={X} label={c("act.close")} onClick={onClose} />
        </span>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <div
        className="flex min-h-0 flex-1 flex-col gap-3 overflow-auto p-4"
        tabIndex={0}
        role="region"
        aria-label={t("inspector.label")}
      >
        <div className="flex flex-wrap items-center gap-2">
          <Tooltip title={operator ? "" : t("act.needsOperator")}>
            <Button
              type="primary"
              disabled={!operator}
              icon={<Send size={14} aria-hidden />}
              loading={resending.busy === row.messageId}
              onClick={() => void resending.resend(row)}
            >
              {t("resend.act")}
            </Button>
          </Tooltip>
          <span role="status">{resent && <ResentPill resent={resent} />}</span>
          {refused && (
            <p role="alert" className="m-0 text-failed">
              {refused.message}
            </p>
          )}
        </div>
        <Why attempt={attempt} />
        <Loaded query={query}>
          {(message) => (
            <>
              <MessageFacts message={message} attempt={attempt} onTerm={onTerm} />
              <Tabs size="small" items={tabs(message)} />
            </>
          )}
        </Loaded>
      </div>
    </>
  );
}
