import { useEffect, useMemo } from "react";
import { useCall, usePages } from "@/api/hooks";
import { WORST_FIRST } from "@/components/connection";
import { perMille, sum } from "@/components/format";
import type { SchoolStrip } from "@/gen/rollcall/provider/v1/log";
import type { Connection, School } from "@/gen/rollcall/provider/v1/school";

const EVERY_MS = 15_000;

/** A school of the list with its last 24 hours. */
export interface Listed {
  school: School;
  connection: Connection | undefined;
  strip: SchoolStrip | undefined;
  /** Delivered of all attempts in 24 h, in tenths of a percent. */
  share: number | undefined;
  /** Where its webhooks go; empty without an address. */
  urlHost: string;
}

/** All schools in scope, the worst first. */
export function useSchools() {
  const pages = usePages("SchoolService/ListSchools", { pageSize: 500 });
  const overview = useCall("LogService/GetOverview", { district: "" }, { refetchInterval: EVERY_MS });
  const { hasNextPage, isFetchingNextPage, isError, fetchNextPage, refetch } = pages;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && !isError) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isError, fetchNextPage]);
  useEffect(() => {
    const timer = setInterval(() => void refetch(), EVERY_MS);
    return () => clearInterval(timer);
  }, [refetch]);
  const schools = useMemo(() => {
    const strips = new Map(overview.data?.schools.map((strip) => [strip.schoolId, strip]));
    return pages.data?.pages
      .flatMap((page) => page.schools)
      .map((school) => listed(school, strips.get(school.id)))
      .sort(worstFirst);
  }, [pages.data, overview.data]);
  return { ...pages, data: schools };
}

export function listed(school: School, strip: SchoolStrip | undefined): Listed {
  const connection = school.connection || undefined;
  return {
    school,
    connection,
    strip,
    share: strip && perMille(sum(strip.deliveredByHour), sum(strip.failedByHour)),
    urlHost: connection?.url ? hostOf(connection.url) : "",
  };
}

function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

export const stateOf = ({ connection }: Pick<Listed, "connection">) =>
  connection?.state ?? "CONNECTION_STATE_NOT_CONNECTED";

/** Of one state, what parked more comes first, then what delivers worse. */
function worstFirst(a: Listed, b: Listed): number {
  const rank = (one: Listed) => {
    const parkedAlone = stateOf(one) === "CONNECTION_STATE_ACTIVE" && Number(one.school.figures?.parked ?? 0) > 0;
    return WORST_FIRST.indexOf(parkedAlone ? "CONNECTION_STATE_FAILING" : stateOf(one)) + (parkedAlone ? 0.5 : 0);
  };
  const parked = (one: Listed) => Number(one.school.figures?.parked ?? 0);
  return (
    rank(a) - rank(b) ||
    parked(b) - parked(a) ||
    (a.share ?? 1_000) - (b.share ?? 1_000) ||
    a.school.name.localeCompare(b.school.name)
  );
}
