import { Button, Skeleton } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type LogFilter, rangeOf, setRange } from "@/api/logFilter";
import { PILL_ICONS } from "@/components/StatusPill";
import { CopyDetails, StaleBanner, useDelayed } from "@/components/states";
import { formatTime } from "@/components/time";
import type { HistogramBucket } from "@/gen/rollcall/provider/v1/log";
import { usePreferences } from "@/theme/preferences";
import { Bars } from "./Bars";
import { useVolume } from "./useVolume";
import { VolumeTable } from "./VolumeTable";
import { MARK, STACK, STACK_ICON } from "./volumeLooks";

/** Attempts over time by what became of them. Dragging over it sets the filter's time. */
export function Volume({
  school,
  filter,
  live,
  onChange,
}: {
  school: string;
  filter: LogFilter;
  live: boolean;
  onChange: (filter: LogFilter) => void;
}) {
  const { t } = useTranslation("webhookLog");
  const { zone } = usePreferences();
  const volume = useVolume(school, filter, live);
  const [asTable, setAsTable] = useState(false);
  const late = useDelayed(volume.isPending);
  const { from, to } = rangeOf(filter, 0);
  const buckets = volume.data?.buckets ?? [];
  const length = Number(volume.data?.bucketMs ?? 0);
  const total = (status: (typeof STACK)[number]) =>
    buckets.reduce((sum: number, bucket: HistogramBucket) => sum + Number(bucket[status]), 0);
  const choose = (begin: number, end: number) => onChange(setRange(filter, { at: begin }, { at: end }));
  return (
    <section
      aria-label={t("volume.title")}
      className="border-0 border-b border-solid border-hairline bg-surface px-3 pt-1 pb-2"
    >
      <div className="flex min-h-7 flex-wrap items-center gap-x-4 gap-y-1 text-label">
        <h2 className="m-0 text-label font-medium text-text-2">{t("volume.title")}</h2>
        {STACK.map((status) => {
          const Icon = STACK_ICON[status];
          return (
            <span key={status} className="inline-flex items-center gap-1 text-text-2">
              <Icon size={12} aria-hidden style={{ color: MARK[status] }} />
              {t(`status.${status}`)}
              <span className="tabular-nums text-text-3">{total(status).toLocaleString("en")}</span>
            </span>
          );
        })}
        {volume.data?.searchedUntil && (
          <span className="inline-flex items-center gap-1 text-retrying">
            <PILL_ICONS.alarm size={12} aria-hidden />
            {t("volume.partly", { time: formatTime(volume.data.searchedUntil, zone) })}
          </span>
        )}
        <span className="ml-auto flex items-center gap-1">
          {(from !== null || to !== null) && (
            <Button size="small" type="text" onClick={() => onChange(setRange(filter, null, null))}>
              {t("volume.anyTime")}
            </Button>
          )}
          <Button size="small" type="text" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            {t(asTable ? "volume.asChart" : "volume.asTable")}
          </Button>
        </span>
      </div>
      {volume.data && volume.isError && <StaleBanner since={volume.dataUpdatedAt} error={volume.error} />}
      {!volume.data && volume.error && (
        <div role="alert" className="flex h-16 items-center gap-2 text-label text-failed">
          {volume.error.message}
          <CopyDetails error={volume.error} />
        </div>
      )}
      {late && <Skeleton.Node active className="!h-16 !w-full" />}
      {volume.data && !asTable && <Bars buckets={buckets} length={length} onChoose={choose} />}
      {volume.data && asTable && <VolumeTable buckets={buckets} length={length} onChoose={choose} />}
    </section>
  );
}
