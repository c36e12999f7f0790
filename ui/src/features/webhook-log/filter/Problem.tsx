import { useTranslation } from "react-i18next";
import type { FilterProblem } from "@/api/logFilter";

/** What cannot be read, marked in the text, and what would be right. */
export function Problem({ text, problem, className }: { text: string; problem: FilterProblem; className: string }) {
  const { t } = useTranslation("webhookLog");
  const { from, to, place, reason, value } = problem;
  return (
    <div role="alert" className={`flex flex-wrap items-baseline gap-2 ${className}`}>
      <code className="max-w-full truncate text-text-2" aria-hidden>
        {text.slice(Math.max(0, from - 24), from)}
        <mark className="bg-failed-tint text-failed underline decoration-wavy">{text.slice(from, to)}</mark>
        {text.slice(to, to + 24)}
      </code>
      <span>{t("filter.problemAt", { place, problem: t(`problem.${reason}`, { value }) })}</span>
    </div>
  );
}
