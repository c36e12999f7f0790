import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { usePreferences } from "@/theme/preferences";
import { useMode } from "@/theme/Theme";
import "uplot/dist/uPlot.min.css";
import type { ChartSeries } from "./Chart";
import { formatTime } from "./time";

/** What a chart stands on: the beginnings of equal buckets of time in ms, or names. */
export type Axis =
  | { kind: "times"; times: readonly number[]; bucketMs: number }
  | { kind: "names"; title: string; names: readonly string[] };

interface PlotProps {
  label: string;
  axis: Axis;
  series: readonly ChartSeries[];
  kind: "bars" | "lines";
  format: (value: number) => string;
  height: number;
  onRange?: (from: number, until: number) => void;
  onPoint: (index: number | null) => void;
}

const DAY_MS = 86_400_000;
/** Lines differ by more than their colour. */
const DASHES = [[], [6, 4], [2, 3]];

/** Each series on top of those before it. */
export function stack(series: readonly ChartSeries[]): number[][] {
  const sums: number[][] = [];
  for (const { values } of series) {
    const below = sums.at(-1);
    sums.push(values.map((value, index) => (value ?? 0) + (below?.[index] ?? 0)));
  }
  return sums;
}

/** Widens a dragged range to whole buckets. */
export function wholeBuckets(axis: Extract<Axis, { kind: "times" }>, from: number, until: number): [number, number] {
  const first = axis.times[0] ?? 0;
  const end = first + axis.times.length * axis.bucketMs;
  const down = first + Math.floor((from - first) / axis.bucketMs) * axis.bucketMs;
  const up = first + Math.ceil((until - first) / axis.bucketMs) * axis.bucketMs;
  return [Math.max(down, first), Math.min(Math.max(up, down + axis.bucketMs), end)];
}

/** The picture itself, on a canvas; whoever does not see it reads {@link Chart}'s table. */
export function Plot(props: PlotProps) {
  const { label, axis, series, kind, height, onRange } = props;
  const box = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const mode = useMode();
  const { zone } = usePreferences();
  const shape = JSON.stringify([axis, series, kind, height, onRange !== undefined]);
  useEffect(() => {
    const parent = box.current;
    // Without a canvas (tests) there is the table.
    if (!parent || !document.createElement("canvas").getContext("2d")) return;
    const made = options(latest, parent.clientWidth, zone);
    const plot = new uPlot(made.options, made.data, parent);
    const observer = new ResizeObserver(() => {
      if (parent.clientWidth > 0) plot.setSize({ width: parent.clientWidth, height });
    });
    observer.observe(parent);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [shape, mode, zone]);
  return <div ref={box} role="img" aria-label={label} style={{ height }} className="min-w-0 overflow-hidden" />;
}

function options(latest: { current: PlotProps }, width: number, zone: "local" | "utc") {
  const { axis, series, kind, height, format, onRange } = latest.current;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const mark = (tone: ChartSeries["tone"]) => colour(tone === "accent" ? "accent-text" : `${tone}-mark`);
  const stacked = kind === "bars";
  const xs = axis.kind === "times" ? [...axis.times] : axis.names.map((_, index) => index);
  // The highest bar is drawn first, so that those below stay visible in front of it.
  const drawn = stacked ? [...series].reverse() : [...series];
  const values = stacked ? stack(series).reverse() : series.map((one) => [...one.values]);
  const bars = uPlot.paths.bars?.({ size: [0.82, 48], align: axis.kind === "times" ? 1 : 0, gap: 1 });
  const text = { stroke: colour("text-3"), font: `12px ${style.getPropertyValue("--font-sans") || "sans-serif"}` };
  const lines = { grid: { stroke: colour("hairline"), width: 1 }, ticks: { show: false } };
  const first = xs[0] ?? 0;
  const range: [number, number] =
    axis.kind === "times" ? [first, first + axis.times.length * axis.bucketMs] : [-0.6, xs.length - 0.4];
  const made: uPlot.Options = {
    width,
    height,
    ms: 1,
    legend: { show: false },
    padding: [8, 20, 0, 0],
    scales: { x: { time: axis.kind === "times", range }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
    axes: [
      axis.kind === "times"
        ? {
            ...text,
            ...lines,
            size: 28,
            grid: { show: false },
            values: (_, at, __, ___, step) => at.map(clock(zone, step)),
          }
        : {
            ...text,
            ...lines,
            size: 28,
            grid: { show: false },
            splits: () => xs,
            values: (_, at) => at.map((index) => axis.names[index] ?? ""),
          },
      { ...text, ...lines, size: 56, values: (_, at) => at.map(format) },
    ],
    series: [
      {},
      ...drawn.map(
        ({ name, tone }, index): uPlot.Series => ({
          label: name,
          stroke: stacked ? undefined : mark(tone),
          fill: stacked ? mark(tone) : undefined,
          width: stacked ? 0 : 2,
          dash: stacked ? undefined : DASHES[index % DASHES.length],
          paths: stacked ? bars : undefined,
          points: { show: false },
        }),
      ),
    ],
    cursor: {
      y: false,
      points: { show: !stacked },
      drag: { x: onRange !== undefined && axis.kind === "times", y: false, setScale: false },
    },
    hooks: {
      setCursor: [(plot) => latest.current.onPoint(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width: dragged } = plot.select;
          if (dragged < 3 || axis.kind !== "times") return;
          const ends = wholeBuckets(axis, plot.posToVal(left, "x"), plot.posToVal(left + dragged, "x"));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          latest.current.onRange?.(...ends);
        },
      ],
    },
  };
  return { options: made, data: [xs, ...values] as uPlot.AlignedData };
}

/** `14:00`, or the day where the steps are days or a day begins. */
function clock(zone: "local" | "utc", stepMs: number) {
  return (at: number) => {
    const time = formatTime(new Date(at), zone);
    return stepMs >= DAY_MS || time.slice(11, 16) === "00:00" ? time.slice(5, 10) : time.slice(11, 16);
  };
}
