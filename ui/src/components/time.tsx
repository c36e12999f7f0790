import { Tooltip } from "antd";
import { useTranslation } from "react-i18next";
import { type Preferences, usePreferences } from "@/theme/preferences";

type Zone = Preferences["zone"];

/** A moment for people: `2026-11-23 16:05:12`, in the zone that the person set. */
export function formatTime(at: string | Date, zone: Zone, millis = false): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "";
  const shifted = zone === "utc" ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  const text = shifted.toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, millis ? 23 : 19)}`;
}

/** How long ago, in the largest unit that fits: `3 min ago`, `in 18 min`. */
export function formatRelative(at: string | Date, now: number): string {
  const seconds = Math.round((new Date(at).getTime() - now) / 1_000);
  const units: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
    ["second", 1],
  ];
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? (["second", 1] as const);
  return new Intl.RelativeTimeFormat("en", { style: "short", numeric: "auto" }).format(
    Math.round(seconds / size),
    unit,
  );
}

/** A duration for people: `12 ms`, `1.4 s`, `3 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.round((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const zoneName = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The name of the zone that times are shown in. */
export function useZoneName(): string {
  return usePreferences().zone === "utc" ? "UTC" : zoneName();
}

/** A moment in a cell; the tooltip adds how long ago, UTC with ms, and the zone. `never` where there is none. */
export function Time({ at, relative = false, millis = false }: { at?: string; relative?: boolean; millis?: boolean }) {
  const { zone } = usePreferences();
  const { t } = useTranslation();
  if (!at) return <span className="text-text-3">{t("time.never")}</span>;
  const iso = new Date(at).toISOString();
  const ago = formatRelative(at, Date.now());
  return (
    <Tooltip title={`${ago} · ${iso} · ${zone === "utc" ? "UTC" : zoneName()}`}>
      <time dateTime={iso} className="whitespace-nowrap tabular-nums">
        {relative ? ago : formatTime(at, zone, millis)}
      </time>
    </Tooltip>
  );
}
