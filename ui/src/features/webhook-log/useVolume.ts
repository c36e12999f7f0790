import { useQuery } from "@tanstack/react-query";
import { call } from "@/api/hooks";
import { type LogFilter, printFilter, rangeOf } from "@/api/logFilter";
import type { Histogram } from "@/gen/rollcall/provider/v1/log";
import { useHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";

const BUCKETS = 90;
const REFRESH_MS = 15_000;
const iso = (ms: number | null) => (ms === null ? undefined : new Date(ms).toISOString());

/** The attempts that a filter matches, counted over its time, or over the last 24 hours. */
export function useVolume(school: string, filter: LogFilter, live: boolean) {
  const host = useHost();
  const text = printFilter(filter);
  return useQuery<Histogram, ShellFailure>({
    // Not the times: those that are before now move on with every read.
    queryKey: ["LogService/GetHistogram", school, text],
    queryFn: () => {
      const { from, to } = rangeOf(filter, Date.now());
      return call(host, "LogService/GetHistogram", {
        school,
        filter: text,
        since: iso(from),
        until: iso(to),
        buckets: BUCKETS,
      });
    },
    placeholderData: (before) => before,
    refetchInterval: live ? REFRESH_MS : false,
  });
}
