import { Button } from "antd";
import { Send } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { ChangeResult, PlannedEvent } from "@/gen/rollcall/provider/v1/student";

/** Before a change: which schools would be told what, with the act beside it. */
export function Plan({
  result,
  changed = true,
  verb,
  busy,
  onAct,
  onBack,
}: {
  result: ChangeResult;
  /** Whether anything would change at all. */
  changed?: boolean;
  verb: string;
  busy: boolean;
  onAct: () => void;
  onBack: () => void;
}) {
  const { t } = useTranslation("students");
  const { t: common } = useTranslation();
  return (
    <section
      aria-label={t("plan.label")}
      className="flex flex-col gap-3 rounded-card border border-solid border-control bg-surface-2 p-3"
    >
      <div role="status" className="flex gap-2">
        <Send size={16} aria-hidden className="mt-0.5 shrink-0 text-text-3" />
        <div>
          {!changed && t("plan.nothing")}
          {changed && result.sends.length === 0 && t("plan.nobody")}
          {changed &&
            byType(result.sends).map(([type, names]) => (
              <div key={type}>{t("plan.sends", { type, count: names.length, names: names.join(", ") })}</div>
            ))}
        </div>
      </div>
      <div className="flex justify-end gap-2">
        <Button autoFocus={!changed} onClick={onBack}>
          {changed ? t("act.keepEditing") : common("act.close")}
        </Button>
        {changed && (
          <Button type="primary" autoFocus loading={busy} onClick={onAct}>
            {verb}
          </Button>
        )}
      </div>
    </section>
  );
}

/** Events by their type, with the schools told. */
function byType(sends: PlannedEvent[]): [type: string, names: string[]][] {
  const types = new Map<string, string[]>();
  for (const { eventType, schoolName } of sends) types.set(eventType, [...(types.get(eventType) ?? []), schoolName]);
  return [...types];
}
