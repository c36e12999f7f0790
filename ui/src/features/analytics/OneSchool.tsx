import { useTranslation } from "react-i18next";
import { Chart } from "@/components/Chart";
import { useCauseWord } from "@/components/cause";
import { formatCount, formatPerMille, perMille } from "@/components/format";
import { Figure } from "@/components/Page";
import { Empty, Failure, Loaded } from "@/components/states";
import { formatDuration } from "@/components/time";
import type { Histogram, Stats } from "@/gen/rollcall/provider/v1/log";
import type { School } from "@/gen/rollcall/provider/v1/school";
import type { Tone } from "@/theme/tokens";
import { addUp, OUTCOMES, type Outcome, successByBucket, totalOf } from "./figures";
import { Ranking } from "./Ranking";
import { useSchoolFigures, useTries } from "./useFigures";
import { between, useOpenLog } from "./useOpenLog";

const TONES: Record<Outcome, Tone> = {
  delivered: "delivered",
  retrying: "retrying",
  parked: "parked",
  held: "paused",
  failed: "failed",
};

interface OneSchoolProps {
  school: School;
  since: string;
  until: string;
}

/** One school over a time; every chart leads into its log. */
export function OneSchool({ school, since, until }: OneSchoolProps) {
  const { t } = useTranslation("analytics");
  const { stats, histogram } = useSchoolFigures(school.id, since, until);
  return (
    <Loaded query={stats} isEmpty={({ attempts }) => attempts === "0"} empty={<Empty text={t("noAttempts")} />}>
      {(figures) => (
        <>
          <Figures stats={figures} />
          <Loaded query={histogram}>{(counted) => <OverTime school={school} histogram={counted} />}</Loaded>
          <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-2">
            <Tries school={school} since={since} until={until} />
            <Causes school={school} stats={figures} since={since} until={until} />
          </div>
        </>
      )}
    </Loaded>
  );
}

function Figures({ stats }: { stats: Stats }) {
  const { t } = useTranslation("analytics");
  const delivered = Number(stats.byStatus.delivered ?? 0);
  const share = perMille(delivered, Number(stats.attempts) - delivered);
  const ms = (us: number) => (us > 0 ? formatDuration(us / 1_000) : "–");
  return (
    <div className="grid grid-cols-2 gap-3 md:grid-cols-5">
      <Figure name={t("figure.success")} value={share === undefined ? "–" : formatPerMille(share)} />
      <Figure name={t("figure.attempts")} value={formatCount(stats.attempts)} />
      <Figure name="p50" value={ms(stats.latencyP50Us)} hint={t("figure.p50Hint")} />
      <Figure name="p95" value={ms(stats.latencyP95Us)} hint={t("figure.p95Hint")} />
      <Figure name="p99" value={ms(stats.latencyP99Us)} hint={t("figure.p99Hint")} />
    </div>
  );
}

function OverTime({ school, histogram }: { school: School; histogram: Histogram }) {
  const { t } = useTranslation("analytics");
  const openLog = useOpenLog();
  const times = histogram.buckets.map(({ from }) => new Date(from ?? 0).getTime());
  const axis = { kind: "times" as const, times, bucketMs: Number(histogram.bucketMs) };
  const shown = OUTCOMES.filter((outcome) => outcome === "delivered" || totalOf(histogram, outcome) > 0);
  const delivered = totalOf(histogram, "delivered");
  const all = OUTCOMES.reduce((sum, outcome) => sum + totalOf(histogram, outcome), 0);
  const says = { delivered: formatCount(delivered), failed: formatCount(all - delivered) };
  const open = (from: number, until: number) => openLog(school.id, school.name, between(from, until));
  const note = histogram.searchedUntil ? t("attempts.partly", { time: histogram.searchedUntil }) : t("attempts.drag");
  return (
    <>
      <Chart
        kind="bars"
        label={t("attempts.title")}
        summary={t("attempts.summary", says)}
        axis={axis}
        series={shown.map((outcome) => ({
          name: t(`outcome.${outcome}`),
          tone: TONES[outcome],
          values: histogram.buckets.map((bucket) => Number(bucket[outcome])),
        }))}
        format={formatCount}
        onRange={open}
        rangeVerb={t("openLog")}
        note={note}
      />
      <Chart
        kind="lines"
        label={t("success.title")}
        summary={t("attempts.summary", says)}
        axis={axis}
        series={[{ name: t("success.name"), tone: "accent", values: successByBucket(histogram) }]}
        format={(value) => `${Number(value.toFixed(1))} %`}
        height={150}
        onRange={open}
        rangeVerb={t("openLog")}
      />
    </>
  );
}

function Tries({ school, since, until }: OneSchoolProps) {
  const { t } = useTranslation("analytics");
  const { counts, error } = useTries(school.id, since, until);
  if (error && counts.every((count) => count === null)) return <Failure error={error} />;
  const all = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  return (
    <Chart
      kind="bars"
      label={t("tries.title")}
      summary={t("tries.summary", { first: formatCount(counts[0] ?? 0), all: formatCount(all) })}
      axis={{ kind: "names", title: t("tries.axis"), names: ["1", "2", "3", "4", t("tries.more")] }}
      series={[{ name: t("tries.messages"), tone: "accent", values: counts }]}
      format={formatCount}
      height={200}
    />
  );
}

function Causes({ school, stats, since, until }: OneSchoolProps & { stats: Stats }) {
  const { t } = useTranslation("analytics");
  const causeWord = useCauseWord();
  const openLog = useOpenLog();
  const time = between(new Date(since).getTime(), new Date(until).getTime());
  return (
    <Ranking
      title={t("causes.title")}
      columns={[t("column.cause"), t("column.attempts")]}
      rows={addUp([stats.byCause]).map(([cause, count]) => ({ key: cause, name: causeWord(cause), value: count }))}
      format={formatCount}
      verb={t("openLog")}
      onOpen={({ key }) => openLog(school.id, school.name, `cause:${key} ${time}`)}
      empty={t("causes.none")}
    />
  );
}
