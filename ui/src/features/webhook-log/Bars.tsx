import { memo, type PointerEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { formatTime } from "@/components/time";
import type { HistogramBucket } from "@/gen/rollcall/provider/v1/log";
import { type Preferences, usePreferences } from "@/theme/preferences";
import { beginOf, MARK, STACK, sum } from "./volumeLooks";

const HIGH = 100;

/** Stacked bars; dragging over them, or pressing one, chooses their time. */
export function Bars({
  buckets,
  length,
  onChoose,
}: {
  buckets: HistogramBucket[];
  length: number;
  onChoose: (from: number, to: number) => void;
}) {
  const { t } = useTranslation("webhookLog");
  const { zone } = usePreferences();
  const [brush, setBrush] = useState<[number, number] | null>(null);
  const at = (event: PointerEvent<HTMLElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    const share = width > 0 ? (event.clientX - left) / width : 0;
    return Math.min(buckets.length - 1, Math.max(0, Math.floor(share * buckets.length)));
  };
  const choose = () => {
    if (!brush) return;
    const [from, to] = [Math.min(...brush), Math.max(...brush)];
    setBrush(null);
    const [first, last] = [buckets[from], buckets[to]];
    if (first && last) onChoose(beginOf(first), beginOf(last) + length);
  };
  const [low, high] = brush ? [Math.min(...brush), Math.max(...brush)] : [0, 0];
  const ends = [buckets[0]?.from, buckets[buckets.length >> 1]?.from, buckets.at(-1)?.from];
  return (
    <div>
      <div
        role="img"
        aria-label={t("volume.title")}
        title={t("volume.hint")}
        data-volume
        className="relative h-14 cursor-crosshair touch-none select-none"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture?.(event.pointerId);
          setBrush([at(event), at(event)]);
        }}
        onPointerMove={(event) => brush && setBrush([brush[0], at(event)])}
        onPointerUp={choose}
        onPointerCancel={() => setBrush(null)}
      >
        <Stacks buckets={buckets} zone={zone} />
        {brush && (
          <div
            aria-hidden
            className="absolute inset-y-0 bg-accent-selected opacity-60 outline-1 outline-accent-text"
            style={{
              left: `${(low / buckets.length) * 100}%`,
              width: `${((high - low + 1) / buckets.length) * 100}%`,
            }}
          />
        )}
      </div>
      <div
        aria-hidden
        className="flex justify-between border-0 border-t border-solid border-hairline pt-0.5 text-[11px] text-text-3 tabular-nums"
      >
        {ends.map((end, index) => (
          <span key={index}>{end ? formatTime(end, zone).slice(0, 16) : ""}</span>
        ))}
      </div>
    </div>
  );
}

const Stacks = memo(function Stacks({ buckets, zone }: { buckets: HistogramBucket[]; zone: Preferences["zone"] }) {
  const { t } = useTranslation("webhookLog");
  const most = Math.max(1, ...buckets.map(sum));
  return (
    <svg
      aria-hidden
      className="block h-full w-full"
      viewBox={`0 0 ${Math.max(1, buckets.length)} ${HIGH}`}
      preserveAspectRatio="none"
    >
      {buckets.map((bucket, index) => {
        let ground = HIGH;
        const figures = STACK.filter((status) => Number(bucket[status]) > 0)
          .map((status) => `${t(`status.${status}`)} ${bucket[status]}`)
          .join(", ");
        const time = bucket.from ? formatTime(bucket.from, zone) : "";
        return (
          <g key={bucket.from}>
            <title>{t("volume.bar", { time, figures: figures || "0" })}</title>
            <rect x={index} y={0} width={1} height={HIGH} fill="transparent" />
            {STACK.map((status) => {
              const count = Number(bucket[status]);
              if (count === 0) return null;
              // Few failures among many successes are still seen.
              const height = Math.max(2.5, (count / most) * HIGH);
              ground -= height;
              return <rect key={status} x={index + 0.08} y={ground} width={0.84} height={height} fill={MARK[status]} />;
            })}
          </g>
        );
      })}
    </svg>
  );
});
