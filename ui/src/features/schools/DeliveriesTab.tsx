import { Button, Table } from "antd";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { formatCount } from "@/components/format";
import { useTell } from "@/components/forms";
import { Facts, Figure, Section } from "@/components/Page";
import { Loaded } from "@/components/states";
import { formatDuration } from "@/components/time";
import type { Stats } from "@/gen/rollcall/provider/v1/log";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { useProviderHost } from "@/shell/context";

const STATES = ["pending", "delivered", "parked", "held", "superseded", "discarded", "erased"] as const;

/** The deliveries in figures; each of them stands in the school's log window. */
export function DeliveriesTab({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const host = useProviderHost();
  const tell = useTell();
  const stats = useCall("LogService/GetStats", { school: school.id }, { refetchInterval: 15_000 });
  const figures = school.figures || undefined;
  return (
    <div className="flex flex-col gap-4">
      <Section
        title={t("deliveries.messages")}
        actions={
          <Button size="small" onClick={() => void host.openLogWindow(school.id, school.name).catch(tell.failed)}>
            {t("deliveries.log")}
          </Button>
        }
      >
        <Facts
          facts={[
            ...STATES.map((state): [string, string] => [
              t(`deliveries.state.${state}`),
              formatCount(figures?.[state] ?? 0),
            ]),
            [t("deliveries.retried"), formatCount(figures?.retried ?? 0)],
            [t("deliveries.everParked"), formatCount(figures?.everParked ?? 0)],
          ]}
        />
      </Section>
      <Section title={t("deliveries.attempts")}>
        <Loaded query={stats}>{(data) => <Day stats={data} />}</Loaded>
      </Section>
    </div>
  );
}

function Day({ stats }: { stats: Stats }) {
  const { t } = useTranslation("schools");
  const latency = (us: number) => (us === 0 ? "–" : formatDuration(us / 1_000));
  return (
    <div className="flex flex-col gap-4">
      <div className="grid grid-cols-2 gap-4 xl:grid-cols-4">
        <Figure name={t("deliveries.total")} value={formatCount(stats.attempts)} />
        <Figure name={t("deliveries.p50")} value={latency(stats.latencyP50Us)} />
        <Figure name={t("deliveries.p95")} value={latency(stats.latencyP95Us)} />
        <Figure name={t("deliveries.p99")} value={latency(stats.latencyP99Us)} />
      </div>
      <div className="grid gap-4 xl:grid-cols-2">
        <Counts counts={stats.byStatus} name={t("deliveries.status")} word={(key) => outcomeWord(t, key)} />
        {Object.keys(stats.byCause).length === 0 ? (
          <p className="m-0 text-text-2">{t("deliveries.noCauses")}</p>
        ) : (
          <Counts counts={stats.byCause} name={t("deliveries.causes")} word={(key) => causeWord(t, key)} />
        )}
      </div>
    </div>
  );
}

type Words = TFunction<"schools">;
const outcomeWord = (t: Words, key: string) => t(`deliveries.outcome.${key as "failed"}`, { defaultValue: key });
const causeWord = (t: Words, key: string) => t(`deliveries.causeWord.${key as "dns"}`, { defaultValue: key });

interface CountsProps {
  counts: { [key: string]: string };
  name: string;
  word: (key: string) => string;
}

function Counts({ counts, name, word }: CountsProps) {
  const { t } = useTranslation("schools");
  const rows = Object.entries(counts).sort(([, a], [, b]) => Number(b) - Number(a));
  return (
    <Table<[string, string]>
      aria-label={name}
      size="small"
      pagination={false}
      rowKey={([key]) => key}
      dataSource={rows}
      columns={[
        { title: name, render: (_, [key]) => word(key) },
        { title: t("deliveries.count"), align: "right", render: (_, [, count]) => formatCount(count) },
      ]}
    />
  );
}
