import { Ban, X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { invertTerm, type LogFilter, printTerm, printValues, removeTerm } from "@/api/logFilter";

const BUTTON =
  "inline-flex h-6 min-w-6 items-center justify-center border-0 bg-transparent px-1 text-text-2 hover:text-text-1";

/** The filter's terms: a press edits one, turns it round, or takes it away. */
export function Chips({
  filter,
  onChange,
  onEdit,
}: {
  filter: LogFilter;
  onChange: (filter: LogFilter) => void;
  onEdit: (at: number) => void;
}) {
  const { t } = useTranslation("webhookLog");
  return filter.map((term, at) => {
    const text = printTerm(term);
    const values = printValues(term).join(", ");
    const turned = printTerm({ ...term, excluded: false });
    return (
      <span
        key={text}
        role="group"
        aria-label={t(term.excluded ? "filter.chipNot" : "filter.chip", { word: term.key, values })}
        className={`inline-flex h-6 max-w-full items-center rounded-chip font-mono text-label ${
          term.excluded ? "bg-failed-tint" : "bg-surface-2"
        }`}
      >
        <button
          type="button"
          className={BUTTON}
          aria-pressed={term.excluded}
          aria-label={t(term.excluded ? "filter.takeIn" : "filter.leaveOut", { term: turned })}
          title={t(term.excluded ? "filter.takeIn" : "filter.leaveOut", { term: turned })}
          onClick={() => onChange(invertTerm(filter, at))}
        >
          <Ban size={12} aria-hidden className={term.excluded ? "text-failed" : "text-text-3"} />
        </button>
        <button
          type="button"
          className={`${BUTTON} min-w-0 gap-1 px-0`}
          aria-label={t("filter.edit", { term: text })}
          onClick={() => onEdit(at)}
        >
          <span className="text-text-3">{term.excluded ? `${t("filter.not")} ${term.key}` : term.key}</span>
          <span className="truncate text-text-1">{values}</span>
        </button>
        <button
          type="button"
          className={BUTTON}
          aria-label={t("filter.remove", { term: text })}
          title={t("filter.remove", { term: text })}
          onClick={() => onChange(removeTerm(filter, at))}
        >
          <X size={12} aria-hidden />
        </button>
      </span>
    );
  });
}
