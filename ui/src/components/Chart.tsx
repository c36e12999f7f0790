import { Button } from "antd";
import { ChartColumn, Table2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { usePreferences } from "@/theme/preferences";
import type { Tone } from "@/theme/tokens";
import { type Axis, Plot } from "./Plot";
import { formatTime } from "./time";

export interface ChartSeries {
  name: string;
  tone: Tone | "accent";
  /** One per place on the axis; `null`: there was nothing to measure. */
  values: readonly (number | null)[];
}

interface ChartProps {
  /** The chart's name, shown above it. */
  label: string;
  /** What it says in one sentence, for those who do not see it. */
  summary: string;
  axis: Axis;
  series: readonly ChartSeries[];
  /** Bars stand on each other; lines do not. */
  kind: "bars" | "lines";
  format?: (value: number) => string;
  height?: number;
  /** A range of times was dragged, or a row's button pressed. Both ends in ms, whole buckets. */
  onRange?: (from: number, until: number) => void;
  /** What that does, for example "Open the log here". */
  rangeVerb?: string;
  /** Below the chart: how exact it is. */
  note?: ReactNode;
}

const MARKS: Record<ChartSeries["tone"], string> = {
  accent: "bg-accent-text",
  delivered: "bg-delivered-mark",
  failed: "bg-failed-mark",
  retrying: "bg-retrying-mark",
  queued: "bg-queued-mark",
  parked: "bg-parked-mark",
  paused: "bg-paused-mark",
};

const plain = (value: number) => value.toLocaleString("en");

/** A chart with its name, a legend that reads the place under the pointer, and the same figures as a table. */
export function Chart(props: ChartProps) {
  const { label, summary, axis, series, kind, format = plain, height = 200, onRange, rangeVerb, note } = props;
  const { t } = useTranslation();
  const { zone } = usePreferences();
  const [asTable, setAsTable] = useState(false);
  const [at, setAt] = useState<number | null>(null);
  const nameOf = (index: number) =>
    axis.kind === "names" ? axis.names[index] : formatTime(new Date(axis.times[index] ?? 0), zone).slice(0, 16);
  const shown = (value: number | null | undefined) => (value == null ? "–" : format(value));
  return (
    <figure
      aria-label={label}
      className="m-0 flex min-w-0 flex-col gap-3 rounded-card border border-solid border-hairline bg-surface p-4"
    >
      <figcaption className="flex min-h-6 flex-wrap items-center gap-x-4 gap-y-1">
        <span className="text-section font-semibold">{label}</span>
        <span className="ml-auto flex flex-wrap items-center gap-x-3 text-label text-text-2">
          {!asTable && at !== null && <span className="text-text-3 tabular-nums">{nameOf(at)}</span>}
          {series.map(({ name, tone, values }) => (
            <span key={name} className="inline-flex items-center gap-1">
              <span aria-hidden className={`inline-block h-2 w-2 rounded-[2px] ${MARKS[tone]}`} />
              {name}
              {!asTable && at !== null && <span className="tabular-nums">{shown(values[at])}</span>}
            </span>
          ))}
        </span>
        <Button
          size="small"
          aria-label={`${asTable ? t("plot.asChart") : t("plot.asTable")}: ${label}`}
          icon={asTable ? <ChartColumn size={14} aria-hidden /> : <Table2 size={14} aria-hidden />}
          onClick={() => setAsTable(!asTable)}
        >
          {asTable ? t("plot.asChart") : t("plot.asTable")}
        </Button>
      </figcaption>
      {asTable ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <section tabIndex={0} aria-label={label} style={{ maxHeight: height + 120 }} className="overflow-auto">
          <table className="w-full border-collapse text-left">
            <thead className="sticky top-0 bg-surface-2 text-label text-text-2">
              <tr>
                <th scope="col" className="px-2 py-1.5 font-medium">
                  {axis.kind === "names" ? axis.title : t("plot.from")}
                </th>
                {series.map(({ name }) => (
                  <th key={name} scope="col" className="px-2 py-1.5 text-right font-medium">
                    {name}
                  </th>
                ))}
                {onRange && axis.kind === "times" && (
                  <th scope="col" className="px-2 py-1.5">
                    <span className="sr-only">{rangeVerb}</span>
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {(axis.kind === "names" ? axis.names : axis.times).map((place, index) => (
                <tr key={place} className="border-0 border-b border-solid border-hairline">
                  <th scope="row" className="px-2 py-1 font-normal tabular-nums">
                    {nameOf(index)}
                  </th>
                  {series.map(({ name, values }) => (
                    <td key={name} className="px-2 py-1 text-right tabular-nums">
                      {shown(values[index])}
                    </td>
                  ))}
                  {onRange && axis.kind === "times" && (
                    <td className="px-2 py-0.5 text-right">
                      <Button
                        size="small"
                        type="link"
                        aria-label={`${rangeVerb}: ${nameOf(index)}`}
                        onClick={() => onRange(axis.times[index] ?? 0, (axis.times[index] ?? 0) + axis.bucketMs)}
                      >
                        {rangeVerb}
                      </Button>
                    </td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : (
        <Plot
          label={`${label}. ${summary}`}
          axis={axis}
          series={series}
          kind={kind}
          format={format}
          height={height}
          onRange={onRange}
          onPoint={setAt}
        />
      )}
      {note && <div className="text-label text-text-3">{note}</div>}
    </figure>
  );
}
