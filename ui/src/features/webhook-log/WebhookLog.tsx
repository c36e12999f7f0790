import { useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { exclude, include, type LogFilter, parseFilter, printFilter, type Term } from "@/api/logFilter";
import type { GridHandle } from "@/components/DataGrid";
import { Sheet, useWindowKeys } from "@/components/frame";
import type { Attempt } from "@/gen/rollcall/provider/v1/log";
import { useLeftLogFilter } from "@/shell/logPlace";
import { usePreferences } from "@/theme/preferences";
import { ExportMenu } from "./acts/ExportMenu";
import { ReplayDialog } from "./acts/ReplayDialog";
import { TestEvent } from "./acts/TestEvent";
import { useResend } from "./acts/useResend";
import { ColumnChooser } from "./ColumnChooser";
import { columnsOf, OPTIONAL, type Optional } from "./columns";
import type { LogView } from "./feed/LogFeed";
import { FilterBar } from "./filter/FilterBar";
import { Presets } from "./filter/Presets";
import { Inspector } from "./inspector/Inspector";
import { ResizablePane } from "./inspector/ResizablePane";
import { useKept } from "./kept";
import { LivePill } from "./LivePill";
import { LogGrid } from "./LogGrid";
import { StatusBar } from "./StatusBar";
import { TopBar } from "./TopBar";
import { useFeed, useLogFeed } from "./useLogFeed";
import { Volume } from "./Volume";

const isChoice = (value: unknown): value is Optional[] =>
  Array.isArray(value) && value.every((id) => OPTIONAL.includes(id));

/** A place may name a filter to begin with; one that cannot be read is none. */
function beginning(search: unknown): LogFilter {
  const { filter } = search as { filter?: unknown };
  const parsed = typeof filter === "string" ? parseFilter(filter) : null;
  return parsed?.ok ? parsed.filter : [];
}

/** What the server says of the filter, where it reads it in another way than this window. */
function filterProblem({ tail, error }: LogView): string | null {
  const { violations = [] } = (tail.kind === "off" ? tail.error : error) ?? {};
  return violations.find(({ field }) => field === "filter")?.message ?? null;
}

/** The delivery log of one school, in a window of its own. */
export default function WebhookLog() {
  const { t } = useTranslation("webhookLog");
  const { zone } = usePreferences();
  const { school: id } = useParams({ strict: false }) as { school: string };
  const search = useSearch({ strict: false });
  const [filter, setFilter] = useState<LogFilter>(() => beginning(search));
  useLeftLogFilter(id, (left) => setFilter(beginning({ filter: left })));
  const [open, setOpen] = useState<Attempt | null>(null);
  const [replaying, setReplaying] = useState(false);
  const [sheet, setSheet] = useState(false);
  const [shown, setShown] = useKept<Optional[]>("columns", [], isChoice);
  const text = printFilter(filter);
  const school = useCall("SchoolService/GetSchool", { school: id }, { refetchInterval: 30_000 });
  const feed = useLogFeed(id, text);
  const cursor = useCallback(() => feed.cursor, [feed]);
  const resending = useResend(id, cursor);
  const grid = useRef<GridHandle>(null);
  useWindowKeys({ "/": () => setSheet((now) => !now) });
  const name = school.data?.name ?? id;
  useEffect(() => {
    document.title = t("title", { school: name });
  }, [name, t]);

  const onTerm = useCallback(
    (term: Term, excluded: boolean) => setFilter((now) => (excluded ? exclude : include)(now, term)),
    [],
  );
  const columns = useMemo(
    () => columnsOf({ t, zone, shown, resent: resending.resent, onTerm }),
    [t, zone, shown, resending.resent, onTerm],
  );
  const onOpen = useCallback(
    (row: Attempt) => {
      feed.pause();
      setOpen(row);
    },
    [feed],
  );
  const close = () => {
    setOpen(null);
    grid.current?.focus();
  };
  const step = (by: -1 | 1) => {
    const { rows } = feed.snapshot();
    const at = rows.findIndex(({ logSequence }) => logSequence === open?.logSequence);
    const next = at < 0 ? undefined : rows[at + by];
    if (next) setOpen(next);
  };
  const resume = () => {
    feed.resume();
    grid.current?.scrollToTop();
  };
  const refused = useFeed(feed, filterProblem);
  const live = useFeed(feed, ({ tail, frozen }) => tail.kind === "live" && !frozen);
  const clear = useCallback(() => setFilter([]), []);
  return (
    <div className="grid h-full grid-rows-[auto_auto_auto_minmax(0,1fr)_auto_24px] bg-canvas">
      <TopBar
        id={id}
        school={school.data}
        onReplay={() => setReplaying(true)}
        onSheet={() => setSheet(true)}
        pill={<LivePill feed={feed} onResume={resume} />}
      >
        <TestEvent school={id} />
        <ExportMenu school={id} schoolName={name} filter={text} />
      </TopBar>
      <section
        aria-label={t("bar")}
        className="flex flex-wrap items-start gap-2 bg-surface px-3 py-2"
        data-pane
        tabIndex={-1}
      >
        <FilterBar filter={filter} onChange={setFilter} serverProblem={refused} />
        <Presets filter={filter} onChange={setFilter} />
        <ColumnChooser shown={shown} onChange={setShown} />
      </section>
      <Volume school={id} filter={filter} live={live} onChange={setFilter} />
      <main className="flex min-h-0 min-w-0">
        <div className="flex min-h-0 min-w-0 flex-1 flex-col" data-pane tabIndex={-1}>
          <LogGrid
            ref={grid}
            feed={feed}
            columns={columns}
            openKey={open?.logSequence ?? null}
            filtered={text !== ""}
            resent={resending.resent}
            onOpen={onOpen}
            onClear={clear}
          />
        </div>
        {open && (
          <ResizablePane label={t("inspector.label")} onClose={close}>
            <Inspector row={open} resending={resending} onTerm={onTerm} onStep={step} onClose={close} />
          </ResizablePane>
        )}
      </main>
      <StatusBar feed={feed} />
      <ReplayDialog
        school={id}
        schoolName={name}
        filter={text}
        open={replaying}
        cursor={cursor}
        onClose={() => setReplaying(false)}
      />
      <Sheet open={sheet} onClose={() => setSheet(false)} />
    </div>
  );
}
