import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { formatDuration, formatTime } from "@/components/time";
import type { HistogramBucket } from "@/gen/rollcall/provider/v1/log";
import { usePreferences } from "@/theme/preferences";
import { beginOf, STACK, sum } from "./volumeLooks";

/** The same figures as a table, the newest first; the keyboard's way to choose a time. */
export function VolumeTable({
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
  const filled = buckets.filter((bucket) => sum(bucket) > 0).reverse();
  if (filled.length === 0) return <p className="m-0 py-3 text-text-3">{t("volume.none")}</p>;
  const cell = "px-2 py-0.5 text-right tabular-nums";
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div className="max-h-40 overflow-auto" tabIndex={0} role="region" aria-label={t("volume.title")}>
      <table className="w-full border-collapse text-label">
        <thead className="sticky top-0 bg-surface-2 text-text-2">
          <tr>
            <th className="px-2 text-left font-medium">{t("volume.from")}</th>
            {STACK.map((status) => (
              <th key={status} className="px-2 text-right font-medium">
                {t(`status.${status}`)}
              </th>
            ))}
            <th className="px-2 text-right font-medium">{t("volume.total")}</th>
          </tr>
        </thead>
        <tbody>
          {filled.map((bucket) => {
            const time = formatTime(bucket.from ?? "", zone);
            return (
              <tr key={bucket.from} className="border-0 border-b border-solid border-hairline">
                <th className="px-2 text-left font-normal">
                  <Button
                    size="small"
                    type="link"
                    className="!px-0"
                    aria-label={t("volume.show", { time })}
                    onClick={() => onChoose(beginOf(bucket), beginOf(bucket) + length)}
                  >
                    {t("volume.bucket", { time, length: formatDuration(length) })}
                  </Button>
                </th>
                {STACK.map((status) => (
                  <td key={status} className={cell}>
                    {bucket[status]}
                  </td>
                ))}
                <td className={cell}>{sum(bucket)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
