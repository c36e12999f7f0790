import { useEffect, useMemo, useRef, useState } from "react";
import { useCall, usePages, useStream } from "@/api/hooks";
import type { ReceivedEvent } from "@/gen/rollcall/school/v1/receiver";
import type { ShellFailure } from "@/shell/host";
import { merged, taken, type Verdict } from "./rows";

/** Live rows go to the grid in batches: WebKitGTK keeps up with that. */
const FLUSH_MS = 250;
/** Above this, live rows are given up for pages that are read again. */
const MAX_LIVE = 5_000;

export type Tail =
  | { state: "live" | "reconnecting" }
  | { state: "gap"; missed: number }
  | { state: "ended"; error: ShellFailure };

/**
 * What arrived, newest first: pages that were read, and the tail's rows above them. While `frozen` no row is added, so
 * that nothing moves under the reader; `fresh` counts what waits.
 */
export function useEvents(verdicts: Verdict[], frozen: boolean) {
  // The tail begins where the record ended when the screen was opened, whatever the filter is.
  const start = useCall(
    "ReceiverService/ListEvents",
    { pageSize: 1 },
    { staleTime: Number.POSITIVE_INFINITY, gcTime: 0, refetchOnWindowFocus: false },
  );
  const base = start.data ? (start.data.events[0]?.number ?? "0") : null;
  const pages = usePages("ReceiverService/ListEvents", { pageSize: 200, verdicts }, { enabled: base !== null });
  const [live, setLive] = useState<ReceivedEvent[]>([]);
  const [tail, setTail] = useState<Tail>({ state: "live" });
  const [missed, setMissed] = useState(0);
  const waiting = useRef<ReceivedEvent[]>([]);
  const last = useRef<number | null>(null);

  useStream("ReceiverService/TailEvents", base === null ? null : { afterNumber: base }, (event) => {
    if (event.kind === "message") waiting.current.push(...event.message.events);
    else if (event.kind === "open") setTail({ state: "live" });
    else if (event.kind === "reconnecting") setTail({ state: "reconnecting" });
    else if (event.kind === "error") setTail({ state: "ended", error: event.error });
  });
  useEffect(() => {
    if (base === null) return;
    last.current ??= Number(base);
    const flush = () => {
      if (waiting.current.length === 0) return;
      const news = taken(last.current ?? 0, waiting.current.splice(0));
      last.current = news.last;
      if (news.missed > 0) setMissed((before) => before + news.missed);
      if (news.rows.length > 0) setLive((before) => [...before, ...news.rows]);
    };
    const timer = setInterval(flush, FLUSH_MS);
    return () => clearInterval(timer);
  }, [base]);

  // What was read anew holds everything up to here; only later rows are still the tail's.
  const reload = async () => {
    const mark = last.current ?? 0;
    setMissed(0);
    await pages.refetch();
    setLive((before) => before.filter((row) => Number(row.number) > mark));
  };
  const crowded = live.length > MAX_LIVE && !frozen;
  useEffect(() => {
    if (crowded) void reload();
  }, [crowded]);

  const read = useMemo(() => pages.data?.pages.flatMap((page) => page.events) ?? [], [pages.data]);
  const rows = useMemo(() => merged(live, read, verdicts), [live, read, verdicts]);
  // What the reader sees stays what it was when the freeze began.
  const top = useRef<ReceivedEvent | null>(null);
  if (!frozen) top.current = rows[0] ?? null;
  const limit = top.current ? Number(top.current.number) : 0;
  const shown = useMemo(
    () => (frozen ? rows.filter((row) => Number(row.number) <= limit) : rows),
    [rows, frozen, limit],
  );
  const told: Tail = tail.state === "live" && missed > 0 ? { state: "gap", missed } : tail;
  return {
    rows: shown,
    fresh: rows.length - shown.length,
    tail: told,
    pages: { ...pages, isPending: pages.isPending || start.isPending, error: pages.error ?? start.error },
    /** Reads everything anew, for a tail that lost rows. */
    reload,
    more: () => {
      if (pages.hasNextPage && !pages.isFetchingNextPage) void pages.fetchNextPage();
    },
  };
}
