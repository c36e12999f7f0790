import { useTranslation } from "react-i18next";
import { formatCount, formatPerMille } from "@/components/format";
import { Figure } from "@/components/Page";
import { formatDuration, formatTime } from "@/components/time";
import type { Overview } from "@/gen/rollcall/provider/v1/log";
import { usePreferences } from "@/theme/preferences";
import { useFirst } from "./useOverview";

/** `+3`, `−0.4`: a change with its sign. */
const signed = (change: number, text: string) => `${change > 0 ? "+" : "−"}${text}`;

/** Four figures, each with what it changed by. */
export function Figures({ overview, district }: { overview: Overview; district: string }) {
  const { t } = useTranslation("dashboard");
  const { zone } = usePreferences();
  const first = useFirst(overview, district);
  const { lastDay, dayBefore } = overview;

  const share = lastDay?.deliveredPerMille;
  const shareBefore = dayBefore?.deliveredPerMille;
  const shareHint = () => {
    if (share == null || shareBefore == null) return t("figure.noBefore");
    const change = share - shareBefore;
    if (change === 0) return t("figure.same");
    return t("figure.points", { change: signed(change, (Math.abs(change) / 10).toFixed(1)) });
  };

  const oldest = overview.oldestUndeliveredAt;
  const age = oldest ? new Date(overview.at ?? Date.now()).getTime() - new Date(oldest).getTime() : 0;

  const parkedChange = Number(overview.parked) - Number(first.parked);
  const opened = formatTime(first.at ?? new Date(), zone).slice(11, 16);
  const parkedHint = parkedChange
    ? t("figure.sinceOpened", { change: signed(parkedChange, formatCount(Math.abs(parkedChange))), time: opened })
    : t("figure.unchanged", { time: opened });

  const latency = lastDay?.latencyP95Us ?? 0;
  const latencyBefore = dayBefore?.latencyP95Us ?? 0;
  const latencyHint = () => {
    if (latencyBefore === 0) return t("figure.noBefore");
    const change = latency - latencyBefore;
    if (change === 0) return t("figure.same");
    return t("figure.change", { change: signed(change, formatDuration(Math.abs(change) / 1_000)) });
  };

  return (
    <section aria-label={t("figure.title")} className="grid grid-cols-2 gap-4 xl:grid-cols-4">
      <Figure
        name={t("figure.delivered")}
        value={share == null ? t("figure.nothingSent") : formatPerMille(share)}
        hint={`${shareHint()} · ${t("figure.attempts", { total: formatCount(lastDay?.attempts ?? 0) })}`}
      />
      <Figure
        name={t("figure.oldest")}
        value={oldest ? formatDuration(Math.max(age, 0)) : t("figure.none")}
        hint={oldest && t("figure.madeAt", { time: formatTime(oldest, zone) })}
      />
      <Figure
        name={t("figure.parked")}
        value={formatCount(overview.parked)}
        hint={`${parkedHint} · ${t("figure.waiting", {
          pending: formatCount(overview.pending),
          held: formatCount(overview.held),
        })}`}
      />
      <Figure
        name={t("figure.latency")}
        value={latency === 0 ? t("figure.nothingSent") : formatDuration(latency / 1_000)}
        hint={latencyHint()}
      />
    </section>
  );
}
