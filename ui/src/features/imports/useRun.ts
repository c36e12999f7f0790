import { useQueryClient } from "@tanstack/react-query";
import { refresh, useCall, useStream } from "@/api/hooks";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import { isAtWork } from "./run";

/** Where the stream ends early, the run is still looked at. */
const LOOK_MS = 5_000;

/** A run as it is now; while the server works on it, at each change. */
export function useRun(run: string) {
  const client = useQueryClient();
  const query = useCall(
    "ImportService/GetImport",
    { run },
    { refetchInterval: ({ state }) => (state.data && isAtWork(state.data as ImportRun) ? LOOK_MS : false) },
  );
  const working = query.data !== undefined && isAtWork(query.data);
  useStream("ImportService/WatchImport", working ? { run } : null, (event) => {
    if (event.kind !== "message") return;
    client.setQueryData(["ImportService/GetImport", { run }], event.message);
    if (isAtWork(event.message)) return;
    void refresh(client, ["ImportService/ListImports", "ImportService/ListProblems", "StudentService"]);
  });
  return query;
}
