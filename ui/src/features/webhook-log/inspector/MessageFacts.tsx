import { Filter, FilterX } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { printTerm, type Term } from "@/api/logFilter";
import { Exact } from "@/components/Copy";
import { Facts } from "@/components/Page";
import { Personal } from "@/components/personal";
import { Time } from "@/components/time";
import type { Attempt, Message } from "@/gen/rollcall/provider/v1/log";
import { TERMS } from "../columns";

/** Which message it is and how it stands. Its values can be filtered by, with the keyboard too. */
export function MessageFacts({
  message,
  attempt,
  onTerm,
}: {
  message: Message;
  attempt: Attempt;
  onTerm: (term: Term, excluded: boolean) => void;
}) {
  const { t } = useTranslation("webhookLog");
  const fact = (name: string, term: Term, value: ReactNode): [string, ReactNode] => [
    name,
    <span key={name} className="flex min-w-0 items-center">
      <span className="min-w-0 flex-1">{value}</span>
      <By term={term} onTerm={onTerm} />
    </span>,
  ];
  const reason = message.reason && t(`reason.${message.reason}` as "reason.gone", { defaultValue: message.reason });
  const state = t(`state.${message.state}` as "state.held", { defaultValue: message.state });
  return (
    <Facts
      facts={[
        fact(t("inspector.message"), TERMS.message(attempt), <Exact text={message.id} />),
        fact(t("inspector.event"), TERMS.event(attempt), <code>{message.eventType}</code>),
        [t("inspector.state"), reason ? `${state}: ${reason}` : state],
        ...(message.studentSourcedId
          ? [
              fact(
                t("inspector.student"),
                TERMS.student(attempt),
                <Personal>
                  <code>{message.studentSourcedId}</code>
                </Personal>,
              ),
            ]
          : []),
        ...(message.sequence !== "0" ? [[t("inspector.sequence"), message.sequence] as [string, ReactNode]] : []),
        [t("inspector.created"), <Time key="created" at={message.createdAt} millis />],
      ]}
    />
  );
}

function By({ term, onTerm }: { term: Term; onTerm: (term: Term, excluded: boolean) => void }) {
  const { t } = useTranslation("webhookLog");
  // A student's key is not read out in a button's name.
  const text = term.key === "student" ? term.key : printTerm(term);
  const button = (label: string, Icon: typeof Filter, excluded: boolean) => (
    <button
      type="button"
      aria-label={label}
      title={label}
      className="inline-flex h-6 w-6 items-center justify-center rounded-chip border-0 bg-transparent text-text-3 hover:bg-surface-2 hover:text-text-1"
      onClick={() => onTerm(term, excluded)}
    >
      <Icon size={13} aria-hidden />
    </button>
  );
  return (
    <span className="flex shrink-0">
      {button(t("inspector.include", { term: text }), Filter, false)}
      {button(t("inspector.exclude", { term: text }), FilterX, true)}
    </span>
  );
}
