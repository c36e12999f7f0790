import type { GetHistogramRequest, Histogram } from "@/gen/rollcall/provider/v1/log";
import type { FakeLog } from "./school";

const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000];
const ROUND = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28].map((n) => n * DAY),
];
const STATUSES = ["delivered", "retrying", "parked", "held", "failed"] as const;

/** Counted as the server counts. */
export function histogramOf(log: FakeLog, request: Partial<GetHistogramRequest>): Histogram {
  const until = request.until ? Date.parse(request.until) : Date.now();
  const since = request.since ? Date.parse(request.since) : until - DAY;
  const most = request.buckets || 60;
  const first = (length: number) => Math.floor(since / length) * length;
  const needed = (length: number) => Math.ceil((until - first(length)) / length);
  const length = ROUND.find((round) => needed(round) <= most) ?? 28 * DAY;
  const counts = Array.from({ length: needed(length) }, () => ({
    delivered: 0,
    retrying: 0,
    parked: 0,
    held: 0,
    failed: 0,
  }));
  for (const attempt of log.matching(request.filter ?? "")) {
    const bucket = counts[Math.floor((Date.parse(attempt.at ?? "") - first(length)) / length)];
    const status = STATUSES.find((known) => known === attempt.status);
    if (bucket && status) bucket[status] += 1;
  }
  const buckets = counts.map((count, index) => ({
    from: new Date(first(length) + index * length).toISOString(),
    delivered: String(count.delivered),
    retrying: String(count.retrying),
    parked: String(count.parked),
    held: String(count.held),
    failed: String(count.failed),
  }));
  return { buckets, bucketMs: String(length), searchedUntil: undefined };
}
