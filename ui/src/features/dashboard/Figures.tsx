import { useTranslation } from "react-i18next";
import { formatCount, formatPerMille } from "@/components/format";
import { Figure } from "@/components/Page";
import { formatDuration, formatTime } from "@/components/time";
import type { Overview } from "@/gen/rollcall/provider/v1/log";
import { usePreferences } from "@/theme/preferences";

/** `+3`, `−0.4`: a change with its sign. */
const signed = (change: number, text: string) => `${change > 0 ? "+" : "−"}${text}`;

/** How old something was at a time, in ms. */
const ageOf = (made: string, at: string | undefined) =>
  Math.max(0, new Date(at ?? Date.now()).getTime() - new Date(made).getTime());

/** Four figures, each with what it changed by. */
export function Figures({ overview }: { overview: Overview }) {
  const { t } = useTranslation("dashboard");
  const { zone } = usePreferences();
  const { lastDay, dayBefore, dayAgo } = overview;

  const share = lastDay?.deliveredPerMille;
  const shareBefore = dayBefore?.deliveredPerMille;
  const shareHint = () => {
    if (share == null || shareBefore == null) return t("figure.noBefore");
    const change = share - shareBefore;
    if (change === 0) return t("figure.same");
    return t("figure.points", { change: signed(change, (Math.abs(change) / 10).toFixed(1)) });
  };

  const oldest = overview.oldestUndeliveredAt;
  const age = oldest ? ageOf(oldest, overview.at) : 0;
  const oldestHint = () => {
    if (!dayAgo) return t("figure.notKept");
    const then = dayAgo.oldestUndeliveredAt;
    if (!then) return t("figure.noneYesterday");
    const change = age - ageOf(then, dayAgo.at);
    if (change === 0) return t("figure.asYesterday");
    return t("figure.sinceYesterday", { change: signed(change, formatDuration(Math.abs(change))) });
  };

  const parkedHint = () => {
    if (!dayAgo) return t("figure.notKept");
    const change = Number(overview.parked) - Number(dayAgo.parked);
    if (change === 0) return t("figure.asYesterday");
    return t("figure.sinceYesterday", { change: signed(change, formatCount(Math.abs(change))) });
  };

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
        value={oldest ? formatDuration(age) : t("figure.none")}
        hint={oldest ? `${oldestHint()} · ${t("figure.madeAt", { time: formatTime(oldest, zone) })}` : oldestHint()}
      />
      <Figure
        name={t("figure.parked")}
        value={formatCount(overview.parked)}
        hint={`${parkedHint()} · ${t("figure.waiting", {
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
