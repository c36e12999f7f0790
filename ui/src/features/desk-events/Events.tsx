import { useNavigate } from "@tanstack/react-router";
import { Button, Select } from "antd";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Column, DataGrid, type GridHandle } from "@/components/DataGrid";
import { Page } from "@/components/Page";
import { SidePanel } from "@/components/SidePanel";
import { Empty, EmptyFilter, Loaded } from "@/components/states";
import { formatDuration, Time } from "@/components/time";
import type { ReceivedEvent } from "@/gen/rollcall/school/v1/receiver";
import { EventFacts } from "./EventFacts";
import { LivePill } from "./LivePill";
import { VERDICTS, type Verdict } from "./rows";
import { useEvents } from "./useEvents";
import { EDGES, VerdictPill } from "./VerdictPill";

/** What arrived and what was said about it, live. */
export default function Events() {
  const { t } = useTranslation("deskEvents");
  const navigate = useNavigate();
  const grid = useRef<GridHandle>(null);
  const [verdicts, setVerdicts] = useState<Verdict[]>([]);
  const [open, setOpen] = useState<ReceivedEvent | null>(null);
  const [away, setAway] = useState(false);
  const [paused, setPaused] = useState(false);
  const { rows, fresh, tail, pages, reload, more } = useEvents(verdicts, away || paused || open !== null);
  const resume = () => {
    setPaused(false);
    setOpen(null);
    setAway(false);
    grid.current?.scrollToTop();
  };
  // Another filter is another list: it begins at its top.
  useEffect(() => {
    setAway(false);
    grid.current?.scrollToTop();
  }, [verdicts]);
  const columns = useColumns();
  const filtered = verdicts.length > 0;
  return (
    <Page
      title={t("title")}
      fill
      extra={
        <LivePill
          tail={tail}
          frozen={away || paused || open !== null}
          fresh={fresh}
          onPause={() => setPaused(true)}
          onResume={resume}
          onLoad={() => void reload()}
        />
      }
      actions={
        <Select
          data-filter
          mode="multiple"
          allowClear
          className="min-w-56"
          aria-label={t("filter")}
          placeholder={t("all")}
          value={verdicts}
          onChange={setVerdicts}
          options={VERDICTS.map((verdict) => ({ value: verdict, label: t(`verdict.${verdict}`) }))}
        />
      }
    >
      <div className="flex min-h-0 flex-1 overflow-hidden rounded-card border border-solid border-hairline">
        <Loaded query={pages as never}>
          {() => (
            <DataGrid
              ref={grid}
              label={t("title")}
              rows={rows}
              rowKey={(row) => row.number}
              columns={columns}
              totalRows={pages.hasNextPage ? -1 : undefined}
              openKey={open?.number ?? null}
              onOpen={setOpen}
              onMove={() => setAway(true)}
              copyText={(row) => row.messageId}
              rowClass={(row) => EDGES[row.verdict as Verdict] ?? ""}
              onNearEnd={more}
              onScrolled={setAway}
              empty={
                filtered ? (
                  <EmptyFilter text={t("emptyFilter")} onClear={() => setVerdicts([])} />
                ) : (
                  <Empty
                    text={t("empty")}
                    action={<Button onClick={() => void navigate({ to: "/" })}>{t("emptyAction")}</Button>}
                  />
                )
              }
            />
          )}
        </Loaded>
        {open && (
          <SidePanel
            label={t("panel.label")}
            title={<VerdictPill verdict={open.verdict} />}
            onClose={() => setOpen(null)}
          >
            <EventFacts event={open} />
          </SidePanel>
        )}
      </div>
    </Page>
  );
}

function useColumns(): Column<ReceivedEvent>[] {
  const { t } = useTranslation("deskEvents");
  return useMemo<Column<ReceivedEvent>[]>(
    () => [
      { id: "at", header: t("column.time"), width: "170px", cell: (row) => <Time at={row.at} /> },
      {
        id: "verdict",
        header: t("column.verdict"),
        width: "130px",
        cell: (row) => <VerdictPill verdict={row.verdict} />,
      },
      { id: "event", header: t("column.event"), width: "160px", cell: (row) => <code>{row.eventType || "–"}</code> },
      {
        id: "sequence",
        header: t("column.sequence"),
        width: "90px",
        align: "right",
        cell: (row) => (row.sequence === "0" ? "–" : row.sequence),
      },
      {
        id: "id",
        header: t("column.id"),
        width: "minmax(180px, 1fr)",
        cell: (row) => <code>{row.messageId || "–"}</code>,
      },
      { id: "result", header: t("column.result"), width: "minmax(110px, 1fr)", cell: (row) => row.result },
      { id: "code", header: t("column.code"), width: "64px", align: "right", cell: (row) => row.code },
      {
        id: "latency",
        header: t("column.latency"),
        width: "90px",
        align: "right",
        cell: (row) => formatDuration(row.latencyUs / 1_000),
      },
    ],
    [t],
  );
}
