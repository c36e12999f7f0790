import { useTranslation } from "react-i18next";
import { applyPreset, type LogFilter, PRESETS, type Preset, presetOf } from "@/api/logFilter";

const NAMES = Object.keys(PRESETS) as Preset[];

/** The filters that are wanted most, by one press. */
export function Presets({ filter, onChange }: { filter: LogFilter; onChange: (filter: LogFilter) => void }) {
  const { t } = useTranslation("webhookLog");
  const now = presetOf(filter);
  return (
    <div
      role="group"
      aria-label={t("filter.presets")}
      className="flex h-8 items-center gap-0.5 rounded-control bg-surface-2 p-0.5"
    >
      {NAMES.map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={now === name}
          onClick={() => onChange(applyPreset(filter, name))}
          className={`h-7 whitespace-nowrap rounded-chip border-0 px-2.5 text-label ${
            now === name ? "bg-surface font-medium text-accent-text" : "bg-transparent text-text-2 hover:text-text-1"
          }`}
        >
          {t(`preset.${name}`)}
        </button>
      ))}
    </div>
  );
}
