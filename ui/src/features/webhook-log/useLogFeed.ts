import { useEffect, useMemo, useSyncExternalStore } from "react";
import { useHost } from "@/shell/context";
import { LogFeed, type LogView } from "./feed/LogFeed";

/** Follows a school's log under a filter. Another filter is another feed. */
export function useLogFeed(school: string, filter: string): LogFeed {
  const host = useHost();
  const feed = useMemo(() => new LogFeed(host, { school, filter }), [host, school, filter]);
  useEffect(() => {
    feed.start();
    return () => feed.stop();
  }, [feed]);
  return feed;
}

/** A part of what a feed shows: whoever reads it is drawn again only when that part changes. */
export function useFeed<T>(feed: LogFeed, part: (view: LogView) => T): T {
  return useSyncExternalStore(feed.subscribe, () => part(feed.snapshot()));
}
