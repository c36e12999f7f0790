import { useEffect, useState } from "react";
import { usePages } from "@/api/hooks";
import type { Sort } from "@/components/DataGrid";
import type { StudentStatus } from "@/gen/rollcall/provider/v1/student";

export interface Filters {
  search: string;
  grades: string[];
  school: string;
  /** Which records: in use, marked for deletion, or both. */
  shown: "active" | "deleted" | "all";
}

export const NO_FILTERS: Filters = { search: "", grades: [], school: "", shown: "active" };
/** The server compares from two characters on. */
const MIN_SEARCH = 2;
const PAGE = 100;
/** Enough rows for any window; a searched page may come with fewer. */
const SCREENFUL = 60;

const STATUS: Record<Filters["shown"], StudentStatus> = {
  active: "STUDENT_STATUS_ACTIVE",
  deleted: "STUDENT_STATUS_TOBEDELETED",
  all: "STUDENT_STATUS_UNSPECIFIED",
};

const ORDERS: Record<string, string> = {
  family: "family_name",
  given: "given_name",
  sourcedId: "sourced_id",
  changed: "date_last_modified",
};

/** The students of a district as filtered and ordered, as many pages as were wanted. */
export function useStudents(district: string | undefined) {
  const [filters, setFilters] = useState(NO_FILTERS);
  const [sort, setSort] = useState<Sort>({ column: "family", descending: false });
  const search = useSettled(filters.search.trim());
  const query = usePages(
    "StudentService/ListStudents",
    {
      district: district ?? "",
      school: filters.school,
      search: search.length >= MIN_SEARCH ? search : "",
      grades: filters.grades,
      status: STATUS[filters.shown],
      includeDeleted: filters.shown === "all",
      orderBy: ORDERS[sort.column] ?? "",
      descending: sort.descending,
      pageSize: PAGE,
    },
    { enabled: district !== undefined, keep: true },
  );
  const students = query.data?.pages.flatMap((page) => page.students) ?? [];
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const wantsMore = hasNextPage && !isFetching && students.length < SCREENFUL;
  useEffect(() => {
    if (wantsMore) void fetchNextPage();
  }, [wantsMore, fetchNextPage]);
  return {
    query,
    students,
    filters,
    setFilters,
    sort,
    setSort,
    filtered: filters.search !== "" || filters.grades.length > 0 || filters.school !== "" || filters.shown !== "active",
    more: () => {
      if (hasNextPage && !isFetching) void fetchNextPage();
    },
  };
}

/** A text once nobody typed for a moment. */
function useSettled(text: string, ms = 250): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    if (text === settled) return;
    const timer = setTimeout(() => setSettled(text), text === "" ? 0 : ms);
    return () => clearTimeout(timer);
  }, [text, settled, ms]);
  return settled;
}
