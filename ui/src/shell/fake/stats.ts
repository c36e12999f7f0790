import type { Attempt, GetStatsRequest, Stats } from "@/gen/rollcall/provider/v1/log";
import type { Answers } from "./host";

const EVERYTHING = 1_000_000;

/** Figures of a school, counted from its delivery log. */
export const stats = (log: Answers["calls"] = {}): Pick<Answers, "calls" | "streams"> => ({
  calls: {
    "LogService/GetStats": ({ school, since }: GetStatsRequest): Stats => {
      const request = { school, filter: since ? `after:${since}` : "after:-24h", pageSize: EVERYTHING };
      const answer = log["LogService/ListAttempts"]?.(request) as { attempts: Attempt[] } | undefined;
      const attempts = answer?.attempts ?? [];
      const byStatus: Record<string, string> = {};
      const byCause: Record<string, string> = {};
      const count = (counts: Record<string, string>, key: string) => {
        counts[key] = String(Number(counts[key] ?? 0) + 1);
      };
      for (const { status, cause } of attempts) {
        count(byStatus, status);
        if (cause) count(byCause, cause);
      }
      const latencies = attempts.map(({ latencyUs }) => latencyUs).sort((a, b) => a - b);
      const percentile = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
      return {
        attempts: String(attempts.length),
        byStatus,
        byCause,
        latencyP50Us: percentile(0.5),
        latencyP95Us: percentile(0.95),
        latencyP99Us: percentile(0.99),
        pending: "2",
        parked: byStatus.parked ?? "0",
        oldestPendingAt: undefined,
      };
    },
  },
  streams: {},
});
