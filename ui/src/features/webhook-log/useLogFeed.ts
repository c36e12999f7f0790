import { useEffect, useMemo, useSyncExternalStore } from "react";
import { useHost } from "@/shell/context";
import { LogFeed, type LogView } from "./feed/LogFeed";

/** Follows a school's log under a filter. Another filter is another feed. */
export function useLogFeed(school: string, filter: string): { feed: LogFeed; view: LogView } {
  const host = useHost();
  const feed = useMemo(() => new LogFeed(host, { school, filter }), [host, school, filter]);
  useEffect(() => {
    feed.start();
    return () => feed.stop();
  }, [feed]);
  return { feed, view: useSyncExternalStore(feed.subscribe, feed.snapshot) };
}
