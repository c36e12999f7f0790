import { useNavigate } from "@tanstack/react-router";
import { Button, Skeleton } from "antd";
import { memo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { HourChart } from "@/components/HourChart";
import { NamedSelect } from "@/components/NamedSelect";
import { Page } from "@/components/Page";
import { Empty, Loaded } from "@/components/states";
import { formatTime } from "@/components/time";
import type { Overview } from "@/gen/rollcall/provider/v1/log";
import { useMay } from "@/shell/session";
import { usePreferences } from "@/theme/preferences";
import { Attention } from "./Attention";
import { Figures } from "./Figures";
import { Strips } from "./Strips";
import { System } from "./System";
import { useOverview } from "./useOverview";

/** What needs a person first, then how the day went. */
export default function Dashboard() {
  const { t } = useTranslation("dashboard");
  const { zone } = usePreferences();
  const navigate = useNavigate();
  const [district, setDistrict] = useState("");
  const overview = useOverview(district);
  const districts = useCall("DistrictService/ListDistricts", {}, { staleTime: 60_000 }).data?.districts ?? [];
  const mayRegister = useMay("ROLE_OPERATOR");
  const asOf = overview.data?.at ? t("asOf", { time: formatTime(overview.data.at, zone).slice(11) }) : "";
  const register = (
    <Button type="primary" onClick={() => void navigate({ to: "/register-school" })}>
      {t("register")}
    </Button>
  );
  return (
    <Page
      title={t("title")}
      extra={<span className="text-label text-text-3 tabular-nums">{asOf}</span>}
      actions={
        districts.length > 1 && (
          <NamedSelect
            label={t("district")}
            value={district}
            onChange={setDistrict}
            className="min-w-44"
            options={[
              { value: "", label: t("allDistricts") },
              ...districts.map(({ id, name }) => ({ value: id, label: name })),
            ]}
          />
        )
      }
    >
      <Loaded
        query={overview}
        skeleton={<DashboardSkeleton />}
        isEmpty={(data) => data.schoolsTotal === 0 && district === ""}
        empty={<Empty text={t("empty")} action={mayRegister && register} />}
      >
        {(data) => <Content overview={data} />}
      </Loaded>
    </Page>
  );
}

/** Drawn anew when a figure changed, and once a minute for the ages among them: not with each look at the server. */
const Content = memo(Figured, ({ overview: before }, { overview: after }) =>
  (Object.keys(after) as (keyof Overview)[]).every((name) =>
    name === "at" ? minuteOf(before.at) === minuteOf(after.at) : before[name] === after[name],
  ),
);

/** `2026-11-26T12:05` */
const minuteOf = (at: string | undefined) => at?.slice(0, 16);

function Figured({ overview }: { overview: Overview }) {
  const { t } = useTranslation("dashboard");
  const total = (of: (strip: Overview["schools"][number]) => number[]) =>
    Array.from({ length: 24 }, (_, hour) => overview.schools.reduce((sum, strip) => sum + (of(strip)[hour] ?? 0), 0));
  const partial = overview.schools.length < overview.schoolsTotal;
  return (
    <>
      <Attention overview={overview} />
      <Figures overview={overview} />
      <HourChart
        label={t("throughput.title")}
        at={overview.at ?? new Date().toISOString()}
        delivered={total((strip) => strip.deliveredByHour)}
        failed={total((strip) => strip.failedByHour)}
        note={partial && t("throughput.worst", { total: overview.schools.length })}
      />
      <Strips overview={overview} />
      <System overview={overview} />
    </>
  );
}

function DashboardSkeleton() {
  return (
    <div className="flex flex-col gap-4">
      <Skeleton active title={false} paragraph={{ rows: 4, width: "100%" }} />
      <div className="grid grid-cols-2 gap-4 xl:grid-cols-4">
        {["delivered", "oldest", "parked", "latency"].map((figure) => (
          <Skeleton.Node key={figure} active className="!h-24 !w-full" />
        ))}
      </div>
      <Skeleton active title={false} paragraph={{ rows: 6, width: "100%" }} />
    </div>
  );
}
