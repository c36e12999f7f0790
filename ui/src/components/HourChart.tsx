import { type ReactNode, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Chart } from "./Chart";
import { formatCount, sum } from "./format";

const HOUR_MS = 3_600_000;

interface HourChartProps {
  label: string;
  /** A moment in the hour that the last count is of. */
  at: string;
  /** Attempts by hour, oldest first. */
  delivered: readonly number[];
  failed: readonly number[];
  note?: ReactNode;
}

/** Attempts of the last hours, delivered and not. */
export function HourChart({ label, at, delivered, failed, note }: HourChartProps) {
  const { t } = useTranslation();
  const running = Math.floor(new Date(at).getTime() / HOUR_MS) * HOUR_MS;
  const axis = useMemo(
    () => ({
      kind: "times" as const,
      times: delivered.map((_, hour) => running - (delivered.length - 1 - hour) * HOUR_MS),
      bucketMs: HOUR_MS,
    }),
    [running, delivered],
  );
  return (
    <Chart
      kind="bars"
      label={label}
      summary={t("strip.summary", { delivered: formatCount(sum(delivered)), failed: formatCount(sum(failed)) })}
      axis={axis}
      series={[
        { name: t("strip.delivered"), tone: "delivered", values: delivered },
        { name: t("strip.failed"), tone: "failed", values: failed },
      ]}
      format={formatCount}
      height={180}
      note={note}
    />
  );
}
