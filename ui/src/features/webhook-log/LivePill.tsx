import { Circle, CircleAlert, type LucideIcon, Pause, RefreshCw } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { LogFeed, LogView } from "./feed/LogFeed";
import { useFeed } from "./useLogFeed";

const LOOKS = {
  live: "bg-delivered-tint text-delivered",
  paused: "bg-paused-tint text-paused",
  waits: "bg-retrying-tint text-retrying",
  wrong: "bg-failed-tint text-failed",
};

/** How the tail is, and the way to pause it, to go on, to load what was missed. */
export function LivePill({ feed, onResume }: { feed: LogFeed; onResume: () => void }) {
  const view = useFeed(feed, (now) => now);
  const { t } = useTranslation("webhookLog");
  const { tail, frozen, waiting, rate, missed, loading } = view;
  const live = rate === 0 ? t("live.live") : rate < 1 ? t("live.rateLow") : t("live.rate", { rate: Math.round(rate) });
  return (
    <div role="group" aria-label={t("live.region")} className="flex items-center gap-1">
      {frozen && (
        <Pill look="paused" icon={Pause} hint={t("live.resume")} onClick={onResume}>
          {waiting > 0 ? t("live.pausedNew", { count: waiting }) : t("live.paused")}
        </Pill>
      )}
      {tail.kind === "live" && !frozen && (
        <Pill look="live" icon={Circle} filled hint={t("live.pause")} onClick={() => feed.pause()}>
          {live}
        </Pill>
      )}
      {tail.kind === "opening" && !frozen && (
        <Pill look="waits" icon={RefreshCw}>
          {t("live.opening")}
        </Pill>
      )}
      {tail.kind === "reconnecting" && (
        <Pill look="waits" icon={RefreshCw}>
          {t("live.reconnecting")}
        </Pill>
      )}
      {tail.kind === "off" && (
        <Pill look="wrong" icon={CircleAlert} hint={tail.error.message} onClick={() => feed.retry()}>
          {t("live.off")}
        </Pill>
      )}
      {missed > 0 && (
        <Pill look="wrong" icon={CircleAlert} onClick={loading === "missed" ? undefined : () => feed.loadMissed()}>
          {t(loading === "missed" ? "live.gapLoading" : "live.gap", { count: missed })}
        </Pill>
      )}
      <Said view={view} />
    </div>
  );
}

function Pill({
  look,
  icon: Icon,
  filled = false,
  hint,
  onClick,
  children,
}: {
  look: keyof typeof LOOKS;
  icon: LucideIcon;
  filled?: boolean;
  hint?: string;
  onClick?: () => void;
  children: string;
}) {
  const inside = (
    <>
      <Icon size={12} aria-hidden fill={filled ? "currentColor" : "none"} />
      {children}
    </>
  );
  const look_ = `inline-flex h-6 items-center gap-1.5 whitespace-nowrap rounded-chip border-0 px-2 text-label font-medium tabular-nums ${LOOKS[look]}`;
  if (!onClick) return <span className={look_}>{inside}</span>;
  return (
    <button type="button" className={look_} title={hint} onClick={onClick}>
      {inside}
    </button>
  );
}

/** Tells a change of the state to those who do not see it; never each row. */
function Said({ view: { frozen, tail, missed } }: { view: LogView }) {
  const { t } = useTranslation("webhookLog");
  const now =
    missed > 0
      ? t("live.saidGap", { count: missed })
      : tail.kind === "reconnecting"
        ? t("live.saidReconnecting")
        : frozen
          ? t("live.saidPaused")
          : tail.kind === "live"
            ? t("live.saidLive")
            : "";
  const [said, setSaid] = useState("");
  useEffect(() => setSaid(now), [now]);
  return (
    <span role="status" className="sr-only">
      {said}
    </span>
  );
}
