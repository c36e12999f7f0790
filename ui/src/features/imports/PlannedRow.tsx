import { useTranslation } from "react-i18next";
import { Personal } from "@/components/personal";
import { StatusPill } from "@/components/StatusPill";
import type { ImportSchoolCounts, PlannedChange } from "@/gen/rollcall/provider/v1/import";
import type { Tone } from "@/theme/tokens";

const TONES: Record<string, Tone> = { created: "delivered", updated: "queued", deleted: "failed" };
/** Fields that tell nothing about who it is. */
const OPEN = /^(grades|schoolEnrollments|primaryOrgSourcedId|status|enabledUser)/;

/** One planned change: who, what of the record, who would be told. */
export function PlannedRow({ change, schools }: { change: PlannedChange; schools: ImportSchoolCounts[] }) {
  const { t } = useTranslation("imports");
  const { kind, displayName, sourcedId, line, fields, schoolSourcedIds } = change;
  const nameOf = (id: string) => schools.find(({ schoolSourcedId }) => schoolSourcedId === id)?.schoolName ?? id;
  const value = (field: string, text: string | undefined) => {
    if (text === undefined) return <span className="text-text-3">{t("sample.absent")}</span>;
    return OPEN.test(field) ? text : <Personal>{text}</Personal>;
  };
  return (
    <li className="grid grid-cols-[104px_minmax(160px,1fr)_minmax(220px,2fr)] gap-x-3 border-0 border-b border-solid border-hairline px-4 py-2">
      <span>
        <StatusPill tone={TONES[kind] ?? "paused"} word={t(`sample.word.${kind}` as "sample.word.created", kind)} />
      </span>
      <span className="min-w-0">
        <span className="block truncate">
          <Personal>{displayName}</Personal>
        </span>
        <code className="text-text-3">{sourcedId}</code>
        {line !== "0" && <span className="ml-2 text-label text-text-3">{t("sample.line", { line })}</span>}
      </span>
      <span className="min-w-0">
        {fields.map(({ field, oldValue, newValue }) => (
          <span key={field} className="block break-words">
            <code className="text-text-3">{field}</code> {value(field, oldValue)} <span aria-hidden>→</span>
            <span className="sr-only">{t("sample.to")}</span> {value(field, newValue)}
          </span>
        ))}
        <span className="block text-label text-text-3">
          {schoolSourcedIds.length > 0
            ? t("sample.told", { schools: schoolSourcedIds.map(nameOf).join(", ") })
            : t("sample.nobody")}
        </span>
      </span>
    </li>
  );
}
