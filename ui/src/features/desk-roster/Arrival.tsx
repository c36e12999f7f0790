import { ArrowRight } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Personal } from "@/components/personal";
import { StatusPill } from "@/components/StatusPill";
import { Time } from "@/components/time";
import type { FieldChange, StudentArrival } from "@/gen/rollcall/school/v1/receiver";
import type { Tone } from "@/theme/tokens";
import { PERSONAL, valueWords } from "./record";

const EVENTS = {
  "student.created": "delivered",
  "student.updated": "queued",
  "student.enrolled": "delivered",
  "student.withdrawn": "paused",
  "student.deleted": "parked",
} as const satisfies Record<string, Tone>;
type Event = keyof typeof EVENTS;

/** A field's name for people; one of a newer version is shown as it is on the wire. */
export function useFieldName() {
  const { t, i18n } = useTranslation("deskRoster");
  return (field: string) =>
    i18n.exists(`field.${field}`, { ns: "deskRoster" }) ? t(`field.${field}` as "field.givenName") : field;
}

/** One message of a student, with what it changed. */
export function Arrival({ arrival }: { arrival: StudentArrival }) {
  const { t } = useTranslation("deskRoster");
  const { event, version, fields } = arrival;
  const type = Object.keys(EVENTS).find((known) => known === event?.eventType) as Event | undefined;
  return (
    <li className="flex flex-col gap-1.5 border-0 border-t border-solid border-hairline pt-3">
      <div className="flex flex-wrap items-center gap-2">
        <StatusPill tone={type ? EVENTS[type] : "paused"} word={type ? t(`event.${type}`) : (event?.eventType ?? "")} />
        <Time at={event?.at} />
        {version !== "0" && <span className="text-label text-text-3">{t("panel.version", { version })}</span>}
      </div>
      {fields.length > 0 ? (
        <Changes fields={fields} />
      ) : (
        <p className="m-0 text-label text-text-3">{t(wordsWithoutFields(arrival))}</p>
      )}
    </li>
  );
}

function wordsWithoutFields({ event, version }: StudentArrival) {
  if (event?.result && event.result !== "applied") return "panel.unchanged";
  return version === "1" || event?.eventType === "student.created" ? "panel.first" : "panel.noFields";
}

function Changes({ fields }: { fields: FieldChange[] }) {
  const { t } = useTranslation("deskRoster");
  const fieldName = useFieldName();
  return (
    <dl className="m-0 flex flex-col gap-1.5">
      {fields.map(({ field, oldValue, newValue }) => (
        <div key={field} className="rounded-control bg-surface-2 px-2 py-1">
          <dt className="text-label text-text-3">{fieldName(field)}</dt>
          <dd className="m-0 flex flex-wrap items-start gap-1.5">
            <Value field={field} json={oldValue} name={t("panel.before")} old />
            <ArrowRight size={14} aria-hidden className="mt-1 shrink-0 text-text-3" />
            <Value field={field} json={newValue} name={t("panel.after")} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Value({ field, json, name, old = false }: { field: string; json?: string; name: string; old?: boolean }) {
  const { t } = useTranslation("deskRoster");
  const text = json ? (
    <span className="break-words whitespace-pre-wrap">{valueWords(json)}</span>
  ) : (
    <span className="text-text-3">{t("panel.absent")}</span>
  );
  return (
    <span className={old ? "text-text-2 line-through decoration-text-3" : "font-medium"}>
      <span className="sr-only">{name}: </span>
      {PERSONAL.has(field) && json ? <Personal>{text}</Personal> : text}
    </span>
  );
}
