import type { ImportCounts, ImportProblem, ImportRun, ImportState } from "@/gen/rollcall/provider/v1/import";
import type { Tone } from "@/theme/tokens";

const AT_WORK: ReadonlySet<ImportState> = new Set([
  "IMPORT_STATE_CHECKING",
  "IMPORT_STATE_APPLYING",
  "IMPORT_STATE_UNDOING",
]);
const UNDO_MS = 24 * 3_600_000;

/** Whether the server works on it. */
export const isAtWork = ({ state }: ImportRun) => AT_WORK.has(state);

export const TONES: Record<ImportState, Tone> = {
  IMPORT_STATE_UNSPECIFIED: "paused",
  IMPORT_STATE_CHECKING: "queued",
  IMPORT_STATE_HELD: "parked",
  IMPORT_STATE_APPLYING: "queued",
  IMPORT_STATE_APPLIED: "delivered",
  IMPORT_STATE_FAILED: "failed",
  IMPORT_STATE_DISCARDED: "paused",
  IMPORT_STATE_CANCELLED: "retrying",
  IMPORT_STATE_UNDOING: "queued",
  IMPORT_STATE_UNDONE: "paused",
};

/** All changes that a plan holds. */
export const total = (counts?: ImportCounts) =>
  Number(counts?.created ?? 0) + Number(counts?.updated ?? 0) + Number(counts?.deleted ?? 0);

/** What is done of what, in the run's present work: rows while it reads and checks, changes while it applies. */
export function work(run: ImportRun): { unit: "rows" | "changes"; done: number; of: number } {
  if (run.state === "IMPORT_STATE_CHECKING")
    return { unit: "rows", done: Number(run.rowsRead), of: Number(run.rowsTotal) };
  return { unit: "changes", done: Number(run.applied), of: total(run.counts) };
}

/** Whether approving would delete more than is let through without a person. */
export const deletesMany = ({ holds }: ImportRun) =>
  holds.some(({ code }) => code === "deletions" || code === "school_missing");

/** Until when a run can be taken back; `null`: it cannot. */
export function undoUntil(run: ImportRun, now: number): number | null {
  const did =
    run.state === "IMPORT_STATE_APPLIED" || (run.state === "IMPORT_STATE_CANCELLED" && Number(run.applied) > 0);
  if (!did || !run.finishedAt) return null;
  const until = new Date(run.finishedAt).getTime() + UNDO_MS;
  return until > now ? until : null;
}

/** Problems of one rule. */
export interface Rule {
  code: string;
  severity: string;
  message: string;
  howToFix: string;
  first: ImportProblem;
  count: number;
}

/** Problems by their rule, errors first, then the most frequent. They come by file and line: the first is the first row. */
export function byRule(problems: readonly ImportProblem[]): Rule[] {
  const rules = new Map<string, Rule>();
  for (const problem of problems) {
    const { severity, code, message, howToFix } = problem;
    const key = `${severity} ${code} ${problem.file} ${problem.field}`;
    const rule = rules.get(key);
    if (rule) rule.count += 1;
    else rules.set(key, { code, severity, message, howToFix, first: problem, count: 1 });
  }
  const weight = ({ severity, count }: Rule) => (severity === "error" ? 1e12 : 0) + count;
  return [...rules.values()].sort((a, b) => weight(b) - weight(a));
}
