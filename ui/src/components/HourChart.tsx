import { Button, Table } from "antd";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { usePreferences } from "@/theme/preferences";
import { formatCount, formatPerMille, perMille, sum } from "./format";
import { formatTime } from "./time";

export interface Hour {
  /** When it begins. */
  from: Date;
  delivered: number;
  failed: number;
}

/** The hours of counts whose last one is running at `at`. */
export function hoursUntil(at: string, delivered: readonly number[], failed: readonly number[]): Hour[] {
  const running = Math.floor(new Date(at).getTime() / 3_600_000) * 3_600_000;
  return delivered.map((count, index) => ({
    from: new Date(running - (delivered.length - 1 - index) * 3_600_000),
    delivered: count,
    failed: failed[index] ?? 0,
  }));
}

const WIDTH = 960;
const HEIGHT = 150;
const LEFT = 44;
const FOOT = 18;

/** Attempts by hour, delivered below and failed, hatched, on top; the same as a table on demand. */
export function HourChart({ hours, label }: { hours: Hour[]; label: string }) {
  const { t } = useTranslation();
  const [table, setTable] = useState(false);
  return (
    <div>
      {table ? <HourTable hours={hours} label={label} /> : <Bars hours={hours} label={label} />}
      <div className="mt-2 flex items-center gap-4 text-label text-text-2">
        {!table && (
          <>
            <Key colour="var(--delivered-mark)" word={t("chart.delivered")} />
            <Key colour="var(--failed-mark)" hatched word={t("chart.failed")} />
          </>
        )}
        <Button size="small" className="ml-auto" onClick={() => setTable(!table)}>
          {table ? t("chart.asChart") : t("chart.asTable")}
        </Button>
      </div>
    </div>
  );
}

function Key({ colour, word, hatched = false }: { colour: string; word: string; hatched?: boolean }) {
  return (
    <span className="inline-flex items-center gap-1.5">
      <svg aria-hidden="true" width="12" height="12">
        <rect width="12" height="12" rx="2" fill={colour} />
        {hatched && <path d="M0 12L12 0M-3 9L9 -3M3 15L15 3" stroke="var(--surface)" strokeWidth="1.5" />}
      </svg>
      {word}
    </span>
  );
}

function Bars({ hours, label }: { hours: Hour[]; label: string }) {
  const { t } = useTranslation();
  const { zone } = usePreferences();
  const hatch = useId();
  const [delivered, failed] = [sum(hours.map((hour) => hour.delivered)), sum(hours.map((hour) => hour.failed))];
  const top = niceTop(Math.max(4, ...hours.map((hour) => hour.delivered + hour.failed)));
  const y = (count: number) => (count / top) * (HEIGHT - FOOT - 6);
  const step = (WIDTH - LEFT) / Math.max(1, hours.length);
  const base = HEIGHT - FOOT;
  return (
    <svg
      role="img"
      aria-label={`${label}: ${t("chart.summary", { delivered: formatCount(delivered), failed: formatCount(failed) })}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      className="block h-auto w-full tabular-nums"
    >
      <defs>
        <pattern id={hatch} width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width="5" height="5" fill="var(--failed-mark)" />
          <rect width="1.5" height="5" fill="var(--surface)" />
        </pattern>
      </defs>
      {[0, top / 2, top].map((mark) => (
        <g key={mark}>
          <line x1={LEFT} x2={WIDTH} y1={base - y(mark)} y2={base - y(mark)} stroke="var(--hairline)" />
          <text x={LEFT - 8} y={base - y(mark) + 4} textAnchor="end" fontSize="11" fill="var(--text-3)">
            {formatCount(mark)}
          </text>
        </g>
      ))}
      {hours.map((hour, index) => {
        const x = LEFT + index * step + step * 0.14;
        const from = formatTime(hour.from, zone).slice(11, 16);
        return (
          <g key={hour.from.getTime()}>
            <title>{`${from} · ${t("chart.summary", { delivered: formatCount(hour.delivered), failed: formatCount(hour.failed) })}`}</title>
            <rect x={LEFT + index * step} y={0} width={step} height={base} fill="transparent" />
            <rect
              x={x}
              y={base - y(hour.delivered)}
              width={step * 0.72}
              height={y(hour.delivered)}
              fill="var(--delivered-mark)"
            />
            <rect
              x={x}
              y={base - y(hour.delivered) - y(hour.failed)}
              width={step * 0.72}
              height={y(hour.failed)}
              fill={`url(#${hatch})`}
            />
            {index % 4 === hours.length % 4 && (
              <text x={x} y={HEIGHT - 4} fontSize="11" fill="var(--text-3)">
                {from}
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
}

/** The axis' end: a round number of which the half is round too. */
function niceTop(most: number): number {
  const unit = 10 ** Math.floor(Math.log10(most));
  const factor = [1, 2, 4, 6, 8, 10].find((factor) => factor * unit >= most) ?? 10;
  return factor * unit;
}

function HourTable({ hours, label }: { hours: Hour[]; label: string }) {
  const { t } = useTranslation();
  const { zone } = usePreferences();
  return (
    <Table
      aria-label={label}
      size="small"
      pagination={false}
      scroll={{ y: 260 }}
      rowKey={(hour) => hour.from.getTime()}
      dataSource={[...hours].reverse()}
      columns={[
        { title: t("chart.hour"), render: (_, hour) => formatTime(hour.from, zone).slice(0, 16) },
        { title: t("chart.delivered"), align: "right", render: (_, hour) => formatCount(hour.delivered) },
        { title: t("chart.failed"), align: "right", render: (_, hour) => formatCount(hour.failed) },
        {
          title: t("chart.share"),
          align: "right",
          render: (_, hour) => {
            const share = perMille(hour.delivered, hour.failed);
            return share === undefined ? "–" : formatPerMille(share);
          },
        },
      ]}
    />
  );
}
