import { Link } from "@tanstack/react-router";
import { Table } from "antd";
import { useTranslation } from "react-i18next";
import { ConnectionPill } from "@/components/connection";
import { formatCount, formatPerMille, perMille, sum } from "@/components/format";
import { HourStrip } from "@/components/HourStrip";
import { Section } from "@/components/Page";
import { Time } from "@/components/time";
import type { Overview, SchoolStrip } from "@/gen/rollcall/provider/v1/log";

/** All of them are under Schools. */
const SHOWN = 12;

/** A line per school with its last 24 hours, the worst first. */
export function Strips({ overview }: { overview: Overview }) {
  const { t } = useTranslation("dashboard");
  const shown = overview.schools.slice(0, SHOWN);
  const part = t("strips.more", { shown: shown.length, total: overview.schoolsTotal });
  return (
    <Section
      flush
      title={t("strips.title")}
      actions={
        <>
          {shown.length < overview.schoolsTotal && <span className="text-text-3">{part}</span>}
          <Link to="/schools" className="text-accent-text">
            {t("strips.all")}
          </Link>
        </>
      }
    >
      <Table<SchoolStrip>
        aria-label={t("strips.title")}
        size="small"
        pagination={false}
        scroll={{ x: 760 }}
        rowKey="schoolId"
        dataSource={shown}
        columns={[
          {
            title: t("strips.school"),
            render: (_, strip) => (
              <Link to="/schools/$school" params={{ school: strip.schoolId }} className="font-medium text-text-1">
                {strip.schoolName}
              </Link>
            ),
          },
          { title: t("strips.state"), render: (_, { state }) => <ConnectionPill state={state} /> },
          {
            title: t("strips.hours"),
            width: 150,
            render: (_, strip) => <HourStrip delivered={strip.deliveredByHour} failed={strip.failedByHour} />,
          },
          { title: t("strips.share"), align: "right", render: (_, strip) => share(strip) },
          {
            title: t("strips.waiting"),
            align: "right",
            render: (_, strip) => formatCount(Number(strip.pending) + Number(strip.parked) + Number(strip.held)),
          },
          { title: t("strips.last"), render: (_, strip) => <Time at={strip.lastDeliveredAt} relative /> },
        ]}
      />
    </Section>
  );
}

function share(strip: SchoolStrip): string {
  const delivered = perMille(sum(strip.deliveredByHour), sum(strip.failedByHour));
  return delivered === undefined ? "–" : formatPerMille(delivered);
}
