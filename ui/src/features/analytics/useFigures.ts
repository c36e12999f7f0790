import { keepPreviousData, useQueries } from "@tanstack/react-query";
import { call, useCall } from "@/api/hooks";
import type { Histogram, Stats } from "@/gen/rollcall/provider/v1/log";
import { useHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { totalOf } from "./figures";

/** Figures of several schools since a time, in their order; `undefined` where they are not there yet. */
export function useStatsOf(schools: readonly string[], since?: string): (Stats | undefined)[] {
  const host = useHost();
  const queries = useQueries({
    queries: schools.map((school) => {
      const request = { school, since };
      return {
        queryKey: ["LogService/GetStats", request],
        queryFn: () => call(host, "LogService/GetStats", request),
        staleTime: 30_000,
      };
    }),
  });
  return queries.map(({ data }) => data);
}

/** How attempts of one school went, over time and in all. */
export function useSchoolFigures(school: string, since: string, until: string) {
  const options = { placeholderData: keepPreviousData };
  const stats = useCall("LogService/GetStats", { school, since }, options);
  const histogram = useCall("LogService/GetHistogram", { school, filter: "", since, until, buckets: 60 }, options);
  return { stats, histogram };
}

/** The filter of each step: delivered by which try. */
export const TRIES = ["try:1", "try:2", "try:3", "try:4", "try:>4"] as const;

/** How many messages arrived by which try. */
export function useTries(school: string, since: string, until: string) {
  const host = useHost();
  return useQueries({
    queries: TRIES.map((step) => {
      const request = { school, filter: `status:delivered ${step}`, since, until, buckets: 1 };
      return {
        queryKey: ["LogService/GetHistogram", request],
        queryFn: () => call(host, "LogService/GetHistogram", request),
        placeholderData: keepPreviousData,
      };
    }),
    combine: (queries) => ({
      counts: queries.map(({ data }) => (data ? totalOf(data as Histogram, "delivered") : null)),
      error: (queries.find(({ error }) => error)?.error ?? null) as ShellFailure | null,
    }),
  });
}
