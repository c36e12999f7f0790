import { Button } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useAct, useCall } from "@/api/hooks";
import { Exact } from "@/components/Copy";
import { formatCount, formatPerMille } from "@/components/format";
import { useTell } from "@/components/forms";
import { HourChart } from "@/components/HourChart";
import { Facts, Figure, Section } from "@/components/Page";
import { formatDuration, Time } from "@/components/time";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { useMay } from "@/shell/session";
import { Enrollment, InSync, Waiting } from "./facts";
import { useListed } from "./useSchool";

const UNTESTABLE = new Set(["CONNECTION_STATE_NOT_CONNECTED", "CONNECTION_STATE_ENROLLING"]);

/** How the school is, at a look. */
export function OverviewTab({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const { strip, share, connection, at } = useListed(school);
  const districts = useCall("DistrictService/ListDistricts", {}, { staleTime: 60_000 }).data?.districts ?? [];
  const { pending = "0", parked = "0", held = "0" } = school.figures ?? {};
  const facts: [string, ReactNode][] = [
    [t("overview.url"), connection?.url ? <Exact key="url" text={connection.url} /> : t("card.noAddress")],
    [t("overview.enrollment"), <Enrollment key="enrollment" connection={connection} />],
    [t("overview.sync"), <InSync key="sync" />],
    [t("overview.last"), <Time key="last" at={connection?.lastDeliveredAt} />],
    [t("overview.district"), districts.find(({ id }) => id === school.districtId)?.name ?? school.districtId],
    [t("overview.sourcedId"), <Exact key="sourcedId" text={school.sourcedId} />],
    [t("overview.id"), <Exact key="id" text={school.id} />],
    [t("overview.created"), <Time key="created" at={school.createdAt} />],
  ];
  return (
    <div className="flex flex-col gap-4">
      <div className="grid grid-cols-2 gap-4 xl:grid-cols-4">
        <Figure name={t("column.share")} value={share === undefined ? t("card.quiet") : formatPerMille(share)} />
        <Figure
          name={t("column.pending")}
          value={formatCount(Number(pending) + Number(parked) + Number(held))}
          hint={<Waiting figures={school.figures || undefined} />}
        />
        <Figure name={t("overview.students")} value={formatCount(school.students)} />
        <Figure name={t("overview.sequence")} value={formatCount(school.headSequence)} />
      </div>
      {strip && (
        <HourChart
          label={t("overview.hours")}
          at={at ?? new Date().toISOString()}
          delivered={strip.deliveredByHour}
          failed={strip.failedByHour}
        />
      )}
      <Section title={t("overview.facts")} actions={<TestEvent school={school} />}>
        <Facts facts={facts} />
      </Section>
    </div>
  );
}

/** Sends a real event, outside the sequence, and says how it went. */
function TestEvent({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const tell = useTell();
  const may = useMay("ROLE_OPERATOR");
  const test = useAct("SchoolService/SendTestEvent", ["SchoolService/GetSchool"]);
  if (!may || UNTESTABLE.has(school.connection?.state ?? "CONNECTION_STATE_NOT_CONNECTED")) return null;
  const outcome = test.data;
  const latency = formatDuration(outcome?.latencyMs ?? 0);
  return (
    <>
      <span role="status" className={outcome?.ok ? "text-delivered" : "text-failed"}>
        {!test.isPending &&
          outcome &&
          (outcome.ok
            ? t("overview.testGood", { detail: outcome.detail, latency })
            : t("overview.testBad", { detail: outcome.detail }))}
      </span>
      <Button
        size="small"
        loading={test.isPending}
        onClick={() => test.mutate({ school: school.id }, { onError: tell.failed })}
      >
        {t("overview.test")}
      </Button>
    </>
  );
}
