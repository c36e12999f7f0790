import { useTranslation } from "react-i18next";
import { formatCount, formatPerMille, perMille, sum } from "./format";

const HEIGHT = 22;
const BAR = 4;
const STEP = 5;

/**
 * A school's last 24 hours as bars, the running hour last. An hour in which something failed has a foot beneath it, so that
 * it is seen without colours.
 */
export function HourStrip({ delivered, failed }: { delivered: readonly number[]; failed: readonly number[] }) {
  const { t } = useTranslation();
  const most = Math.max(1, ...delivered.map((count, hour) => count + (failed[hour] ?? 0)));
  const all = sum(delivered);
  const bad = sum(failed);
  const share = perMille(all, bad);
  const label =
    share === undefined
      ? t("strip.quiet")
      : t("strip.label", { delivered: formatCount(all), failed: formatCount(bad), share: formatPerMille(share) });
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${delivered.length * STEP} ${HEIGHT + 4}`}
      className="block h-[22px] w-[102px] shrink-0"
    >
      {delivered.map((good, hour) => {
        const wrong = failed[hour] ?? 0;
        const tall = (count: number) => (count === 0 ? 0 : Math.max(2, (count / most) * (HEIGHT - 2)));
        const [goodTall, wrongTall] = [tall(good), tall(wrong)];
        const x = hour * STEP;
        return (
          <g key={hour}>
            {good + wrong === 0 && <rect x={x} y={HEIGHT - 1} width={BAR} height={1} fill="var(--hairline)" />}
            <rect x={x} y={HEIGHT - goodTall} width={BAR} height={goodTall} fill="var(--delivered-mark)" />
            <rect x={x} y={HEIGHT - goodTall - wrongTall} width={BAR} height={wrongTall} fill="var(--failed-mark)" />
            {wrong > 0 && <rect x={x} y={HEIGHT + 1.5} width={BAR} height={2} fill="var(--failed-mark)" />}
          </g>
        );
      })}
    </svg>
  );
}
