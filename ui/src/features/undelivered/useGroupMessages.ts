import { useEffect } from "react";
import { useCall, usePages } from "@/api/hooks";
import type { UndeliveredGroup } from "@/gen/rollcall/provider/v1/log";
import { logFilter } from "./group";

const PAGE = 200;
const SCREENFUL = 30;
/** The most that the log answers at once. */
const ATTEMPTS = 500;

/**
 * The messages of a group, newest first. The server lists messages by school and state; those of the group are picked by
 * their reason and, where the group is about a cause, by their last attempts.
 */
export function useGroupMessages({ schoolId, group }: UndeliveredGroup) {
  const filter = group ? logFilter(group) : "";
  const attempts = useCall(
    "LogService/ListAttempts",
    { school: schoolId, filter, pageSize: ATTEMPTS },
    { enabled: filter !== "" },
  );
  const query = usePages("LogService/ListMessages", {
    school: schoolId,
    states: [group?.state ?? "parked"],
    pageSize: PAGE,
  });
  const ids = attempts.data && new Set(attempts.data.attempts.map(({ messageId }) => messageId));
  const listed = query.data?.pages.flatMap((page) => page.messages) ?? [];
  const messages = listed
    .filter(({ reason }) => reason === (group?.reason ?? ""))
    .filter(({ id }) => filter === "" || ids?.has(id));
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const waits = filter !== "" && attempts.isPending;
  const wantsMore = hasNextPage && !isFetching && !waits && messages.length < SCREENFUL;
  useEffect(() => {
    if (wantsMore) void fetchNextPage();
  }, [wantsMore, fetchNextPage]);
  const more = () => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  };
  return { query, messages, waits, more, attemptsError: attempts.error, retry: attempts.refetch };
}
