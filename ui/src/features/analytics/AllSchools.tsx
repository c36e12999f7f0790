import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { Chart } from "@/components/Chart";
import { useCauseWord } from "@/components/cause";
import { formatCount, formatPerMille, perMille, sum } from "@/components/format";
import { Figure } from "@/components/Page";
import { Empty, Loaded } from "@/components/states";
import { formatDuration } from "@/components/time";
import type { Overview } from "@/gen/rollcall/provider/v1/log";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { addUp, failing, HOUR_MS, hoursUntil, together } from "./figures";
import { Ranking } from "./Ranking";
import { useStatsOf } from "./useFigures";
import { useOpenLog } from "./useOpenLog";

const LOOK_MS = 60_000;
/** Schools whose own figures are read. */
const MOST = 8;

/** The last 24 hours of all schools in scope. */
export function AllSchools({ district, schools }: { district: string; schools: School[] }) {
  const { t } = useTranslation("analytics");
  const query = useCall("LogService/GetOverview", { district }, { refetchInterval: LOOK_MS });
  return (
    <Loaded
      query={query}
      isEmpty={({ schools: strips }) => strips.length === 0}
      empty={<Empty text={t("noSchools")} />}
    >
      {(overview) => <Day overview={overview} schools={schools} />}
    </Loaded>
  );
}

function Day({ overview, schools }: { overview: Overview; schools: School[] }) {
  const { t } = useTranslation("analytics");
  const causeWord = useCauseWord();
  const openLog = useOpenLog();
  const { at, lastDay, dayBefore, schools: strips } = overview;
  const delivered = together(strips, "deliveredByHour");
  const failed = together(strips, "failedByHour");
  const worst = failing(strips, MOST);
  const stats = useStatsOf(worst.map(({ school }) => school.schoolId));
  const causes = addUp(stats.flatMap((one) => (one ? [one.byCause] : [])));
  const arrived = sum(schools.map(({ figures }) => Number(figures?.delivered ?? 0)));
  const retried = sum(schools.map(({ figures }) => Number(figures?.retried ?? 0)));
  const parked = sum(schools.map(({ figures }) => Number(figures?.everParked ?? 0)));
  const waiting = Number(overview.pending) + Number(overview.parked) + Number(overview.held);
  const share = (perThousand: number | null | undefined) => (perThousand == null ? "–" : formatPerMille(perThousand));
  const ms = (us: number | undefined) => (us ? formatDuration(us / 1_000) : "–");
  return (
    <>
      <div className="grid grid-cols-2 gap-3 md:grid-cols-4">
        <Figure
          name={t("figure.success")}
          value={share(lastDay?.deliveredPerMille)}
          hint={t("figure.before", { value: share(dayBefore?.deliveredPerMille) })}
        />
        <Figure
          name={t("figure.attempts")}
          value={formatCount(lastDay?.attempts ?? 0)}
          hint={t("figure.before", { value: formatCount(dayBefore?.attempts ?? 0) })}
        />
        <Figure
          name={t("figure.p95")}
          value={ms(lastDay?.latencyP95Us)}
          hint={t("figure.before", { value: ms(dayBefore?.latencyP95Us) })}
        />
        <Figure name={t("figure.waiting")} value={formatCount(waiting)} hint={t("figure.waitingHint")} />
      </div>
      <Chart
        kind="bars"
        label={t("attempts.title")}
        summary={t("attempts.summary", { delivered: formatCount(sum(delivered)), failed: formatCount(sum(failed)) })}
        axis={{ kind: "times", times: hoursUntil(at, delivered.length), bucketMs: HOUR_MS }}
        series={[
          { name: t("outcome.delivered"), tone: "delivered", values: delivered },
          { name: t("outcome.notDelivered"), tone: "failed", values: failed },
        ]}
        format={formatCount}
        note={
          overview.schoolsTotal > strips.length ? t("attempts.some", { count: strips.length }) : t("attempts.choose")
        }
      />
      <Ranking
        title={t("worst.title")}
        columns={[t("column.school"), t("column.failed"), t("column.success"), "p50", "p95", "p99"]}
        rows={worst.map(({ school, failed: count, delivered: good }, index) => ({
          key: school.schoolId,
          name: school.schoolName,
          value: count,
          more: [
            share(perMille(good, count)),
            ms(stats[index]?.latencyP50Us),
            ms(stats[index]?.latencyP95Us),
            ms(stats[index]?.latencyP99Us),
          ],
        }))}
        format={formatCount}
        verb={t("openLog")}
        onOpen={({ key, name }) => openLog(key, name, "status:failed after:-24h")}
        empty={t("worst.none")}
      />
      <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-2">
        <Ranking
          title={t("causes.title")}
          columns={[t("column.cause"), t("column.attempts")]}
          rows={causes.map(([cause, count]) => ({ key: cause, name: causeWord(cause), value: count }))}
          format={formatCount}
          empty={t("causes.none")}
          note={causes.length > 0 ? t("causes.of", { count: worst.length }) : undefined}
        />
        <Chart
          kind="bars"
          label={t("tries.title")}
          summary={t("tries.summary", {
            first: formatCount(Math.max(0, arrived - retried)),
            all: formatCount(arrived),
          })}
          axis={{
            kind: "names",
            title: t("tries.axis"),
            names: [t("tries.first"), t("tries.later"), t("tries.parked")],
          }}
          series={[
            { name: t("tries.messages"), tone: "accent", values: [Math.max(0, arrived - retried), retried, parked] },
          ]}
          format={formatCount}
          height={160}
          note={t("tries.always")}
        />
      </div>
    </>
  );
}
