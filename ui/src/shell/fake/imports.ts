import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import type { StreamEvent } from "../host";
import { type Answers, refusal } from "./host";
import { newRun, planned, seedChanges, seedProblems, seedRuns } from "./importSeed";
import { DISTRICTS, districtOf } from "./seed";

const TICK_MS = 150;
const AT_WORK = ["IMPORT_STATE_CHECKING", "IMPORT_STATE_APPLYING", "IMPORT_STATE_UNDOING"];
const isAtWork = ({ state }: ImportRun) => AT_WORK.includes(state);

/** Import runs in memory that take a few seconds, as small ones do. */
export function imports(): Pick<Answers, "calls" | "streams"> {
  let runs = seedRuns();
  const problems = seedProblems();
  const changes = seedChanges();
  const review = new Set<string>();
  const find = (id: string) => {
    const run = runs.find((one) => one.id === id);
    if (!run) throw refusal("not_found", "there is no such run");
    return run;
  };
  const set = (id: string, change: Partial<ImportRun>) => {
    runs = runs.map((run) => (run.id === id ? { ...run, ...change } : run));
    return find(id);
  };
  const must = (run: ImportRun, state: ImportRun["state"], what: string) => {
    if (run.state !== state) throw refusal("failed_precondition", `the run is not ${what}`);
  };
  const work = (id: string) => {
    const timer = setInterval(() => {
      const run = find(id);
      if (isAtWork(run)) set(id, step(run, review.has(id)));
      else clearInterval(timer);
    }, TICK_MS);
  };
  return {
    calls: {
      "ImportService/ListImports": ({ district }) => {
        const id = districtOf(district)?.id;
        return { runs: runs.filter((run) => run.districtId === id), nextPageToken: "" };
      },
      "ImportService/GetImport": ({ run }) => find(run),
      "ImportService/StartImport": ({ district, profile, holdForReview, ticket }) => {
        const number = runs.length + 20;
        const run = newRun(number, {
          districtId: districtOf(district)?.id ?? DISTRICTS[0]?.id,
          profile: profile || "lenient",
          fileName: ticket,
          rowsTotal: "18422",
        });
        runs = [run, ...runs];
        if (holdForReview) review.add(run.id);
        work(run.id);
        return run;
      },
      "ImportService/ListProblems": ({ run, severity }) => ({
        problems:
          Number(find(run).counts?.errors ?? 0) > 0
            ? problems.filter((one) => !severity || one.severity === severity)
            : [],
        nextPageToken: "",
      }),
      "ImportService/ListPlannedChanges": ({ run, kind, schoolSourcedId, pageSize }) => {
        must(find(run), "IMPORT_STATE_HELD", "held");
        const found = changes.filter(
          (one) => (!kind || one.kind === kind) && (!schoolSourcedId || one.schoolSourcedIds.includes(schoolSourcedId)),
        );
        return { changes: found.slice(0, pageSize || 100), nextPageToken: "" };
      },
      "ImportService/ApproveImport": ({ run, withoutDeletions }) => {
        const held = find(run);
        must(held, "IMPORT_STATE_HELD", "held");
        const counts = held.counts && withoutDeletions ? { ...held.counts, deleted: "0" } : held.counts;
        work(run);
        return set(run, { state: "IMPORT_STATE_APPLYING", phase: "applying", holds: [], counts });
      },
      "ImportService/DiscardImport": ({ run }) => {
        must(find(run), "IMPORT_STATE_HELD", "held");
        return set(run, { state: "IMPORT_STATE_DISCARDED", phase: "done", finishedAt: new Date().toISOString() });
      },
      "ImportService/CancelImport": ({ run }) =>
        set(run, { state: "IMPORT_STATE_CANCELLED", phase: "done", finishedAt: new Date().toISOString() }),
      "ImportService/UndoImport": ({ run }) => {
        must(find(run), "IMPORT_STATE_APPLIED", "applied");
        work(run);
        return set(run, { state: "IMPORT_STATE_UNDOING", phase: "undoing", applied: "0" });
      },
    },
    streams: {
      "ImportService/WatchImport": ({ run }: { run: string }, emit: (event: StreamEvent) => void) => {
        emit({ kind: "open" });
        emit({ kind: "message", message: find(run) });
        const timer = setInterval(() => {
          const now = find(run);
          emit({ kind: "message", message: now });
          if (!isAtWork(now)) {
            clearInterval(timer);
            emit({ kind: "end" });
          }
        }, TICK_MS);
        return () => clearInterval(timer);
      },
    },
  };
}

/** A run one tick later. */
function step(run: ImportRun, review: boolean): Partial<ImportRun> {
  const finished = { phase: "done", finishedAt: new Date().toISOString() };
  if (run.state === "IMPORT_STATE_CHECKING") {
    const read = Number(run.rowsRead) + 1_311;
    if (read < Number(run.rowsTotal)) return { rowsRead: String(read), phase: read > 14_000 ? "checking" : "reading" };
    const plan = planned(run.districtId, 41, 318, 9);
    if (!review) return { ...plan, state: "IMPORT_STATE_APPLYING", phase: "applying" };
    const hold = { code: "review", message: "Held so that you see the plan first", figure: "0", schoolSourcedId: "" };
    return { ...plan, state: "IMPORT_STATE_HELD", phase: "planning", holds: [hold] };
  }
  const { created = "0", updated = "0", deleted = "0" } = run.counts ?? {};
  const total = Number(created) + Number(updated) + Number(deleted);
  const applied = Math.min(total, Number(run.applied) + Math.ceil(total / 30));
  if (applied < total) return { applied: String(applied) };
  const state = run.state === "IMPORT_STATE_UNDOING" ? "IMPORT_STATE_UNDONE" : "IMPORT_STATE_APPLIED";
  return { applied: String(applied), state, ...finished };
}
