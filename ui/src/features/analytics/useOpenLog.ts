import { useTell } from "@/components/forms";
import { useProviderHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { leaveLogFilter } from "@/shell/logPlace";

/** Opens a school's log window at what a filter says. */
export function useOpenLog() {
  const host = useProviderHost();
  const tell = useTell();
  return (school: string, title: string, filter: string) => {
    leaveLogFilter(school, filter);
    host.openLogWindow(school, title).catch((error: ShellFailure) => tell.failed(error));
  };
}

/** A range of time as the log's filter. */
export const between = (from: number, until: number) =>
  `after:${new Date(from).toISOString()} before:${new Date(until).toISOString()}`;
