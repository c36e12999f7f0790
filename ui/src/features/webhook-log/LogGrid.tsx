import { Button } from "antd";
import { memo, type ReactNode, type Ref, useCallback } from "react";
import { useTranslation } from "react-i18next";
import { type Column, DataGrid, type GridHandle } from "@/components/DataGrid";
import { Empty, EmptyFilter, Failure, ListSkeleton, useDelayed } from "@/components/states";
import { formatTime } from "@/components/time";
import type { Attempt } from "@/gen/rollcall/provider/v1/log";
import { usePreferences } from "@/theme/preferences";
import type { Resent } from "./acts/useResend";
import { resentOf } from "./columns";
import type { LogFeed } from "./feed/LogFeed";
import { EDGE } from "./looks";
import { useFeed } from "./useLogFeed";

/** What the bar at the edge says: what became of the attempt, or of the message that was sent again. */
function edgeOf(row: Attempt, resent: ReadonlyMap<string, Resent>): string {
  const act = resentOf(resent, row);
  return act ? (act.outcome?.status ?? "queued") : row.status;
}

const keyOf = (row: Attempt) => row.logSequence;
const idOf = (row: Attempt) => row.messageId;

/** The rows and their states. Drawn only when the rows themselves change, not with every figure of the tail. */
export const LogGrid = memo(function LogGrid({
  feed,
  columns,
  openKey,
  filtered,
  resent,
  onOpen,
  onClear,
  ref,
}: {
  feed: LogFeed;
  columns: Column<Attempt>[];
  openKey: string | null;
  filtered: boolean;
  /** Messages that were sent again here. */
  resent: ReadonlyMap<string, Resent>;
  onOpen: (row: Attempt) => void;
  onClear: () => void;
  ref: Ref<GridHandle>;
}) {
  const rows = useFeed(feed, (view) => view.rows);
  const fresh = useFeed(feed, (view) => view.fresh);
  const loading = useFeed(feed, (view) => view.loading);
  const error = useFeed(feed, (view) => view.error);
  const more = useFeed(feed, (view) => view.more);
  const searchedUntil = useFeed(feed, (view) => view.searchedUntil);
  const opening = useFeed(feed, (view) => view.tail.kind === "opening");
  const { t } = useTranslation("webhookLog");
  const { zone } = usePreferences();
  const late = useDelayed(loading !== null && rows.length === 0);
  const rowClass = useCallback(
    (row: Attempt) =>
      `${EDGE[edgeOf(row, resent)] ?? ""} ${fresh.has(row.logSequence) ? "motion-safe:bg-accent-selected" : ""}`,
    [fresh, resent],
  );
  const time = searchedUntil ? formatTime(searchedUntil, zone) : "";
  let empty: ReactNode = null;
  if (error) empty = <Failure error={error} onRetry={() => feed.retry()} />;
  else if (loading !== null || opening) empty = late ? <ListSkeleton rows={14} /> : null;
  else if (more && searchedUntil) {
    const on = <Button onClick={() => feed.loadOlder()}>{t("searchOn")}</Button>;
    empty = <Empty text={t("emptySearched", { time })} action={on} />;
  } else empty = filtered ? <EmptyFilter text={t("emptyFilter")} onClear={onClear} /> : <Empty text={t("empty")} />;
  const footer = rows.length > 0 && <Footer feed={feed} count={rows.length} time={time} />;
  return (
    <DataGrid
      ref={ref}
      label={t("grid")}
      rows={rows}
      rowKey={keyOf}
      columns={columns}
      totalRows={more ? -1 : rows.length + 1}
      onOpen={onOpen}
      openKey={openKey}
      copyText={idOf}
      rowClass={rowClass}
      onMove={() => feed.pause()}
      onScrolled={(away) => away && feed.pause()}
      onNearEnd={() => !searchedUntil && !error && feed.loadOlder()}
      empty={empty}
      footer={footer}
    />
  );
});

/** What is below the last row: why it ends there, and how it goes on. */
function Footer({ feed, count, time }: { feed: LogFeed; count: number; time: string }) {
  const { loading, error, more, full, gone, searchedUntil } = useFeed(feed, (view) => view);
  const { t } = useTranslation("webhookLog");
  const { t: c } = useTranslation();
  const line = (text: string, act?: ReactNode) => (
    <div className="sticky left-0 flex min-h-9 items-center gap-3 px-4 text-label text-text-3">
      {text} {act}
    </div>
  );
  return (
    <>
      {gone > 0 && line(t("gone", { count: gone }))}
      {error &&
        line(
          error.message,
          <Button size="small" onClick={() => feed.retry()}>
            {c("act.retry")}
          </Button>,
        )}
      {loading === "older" && line(t("older"))}
      {!error &&
        !loading &&
        full &&
        more &&
        line(
          t("full", { count }),
          <Button size="small" onClick={() => feed.continueOlder()}>
            {t("continueOlder")}
          </Button>,
        )}
      {!error &&
        !loading &&
        !full &&
        more &&
        searchedUntil &&
        line(
          t("searched", { time }),
          <Button size="small" onClick={() => feed.loadOlder()}>
            {t("searchOn")}
          </Button>,
        )}
      {!error && !loading && !more && line(t("oldest"))}
    </>
  );
}
