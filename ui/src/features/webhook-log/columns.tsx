import type { TFunction } from "i18next";
import type { MouseEvent, ReactNode } from "react";
import type { Cause, Status, Term, Trigger } from "@/api/logFilter";
import type { Column } from "@/components/DataGrid";
import { Personal } from "@/components/personal";
import { StatusPill } from "@/components/StatusPill";
import { formatDuration, formatRelative, formatTime } from "@/components/time";
import type { Attempt } from "@/gen/rollcall/provider/v1/log";
import type { Preferences } from "@/theme/preferences";
import type { Resent } from "./acts/useResend";
import { formatBytes, STATUS_ICON, TONE } from "./looks";
import { ResentPill } from "./ResentPill";

type Words = TFunction<"webhookLog">;
export const OPTIONAL = ["student", "trigger", "next"] as const;
export type Optional = (typeof OPTIONAL)[number];

interface Given {
  t: Words;
  zone: Preferences["zone"];
  shown: readonly Optional[];
  resent: ReadonlyMap<string, Resent>;
  /** A cell's value was pressed. */
  onTerm: (term: Term, excluded: boolean) => void;
}

const one = (term: Omit<Term, "excluded">) => ({ ...term, excluded: false }) as Term;
const exact = (value: number) => [{ from: value, to: value }];

/** What the filter asks for this value of an attempt. */
export const TERMS = {
  status: (row: Attempt) => one({ key: "status", values: [row.status as Status] }),
  event: (row: Attempt) => one({ key: "event", values: [row.eventType] }),
  message: (row: Attempt) => one({ key: "id", values: [row.messageId] }),
  try: (row: Attempt) => one({ key: "try", values: exact(row.tryNumber) }),
  code: (row: Attempt) =>
    one({ key: "code", values: row.code === 0 && row.cause ? [row.cause as Cause] : exact(row.code) } as Term),
  latency: (row: Attempt) =>
    one({
      key: "latency",
      values: [{ from: (Math.ceil(row.latencyUs / 1_000) - 1) * 1_000 + 1, to: Number.POSITIVE_INFINITY }],
    }),
  student: (row: Attempt) => one({ key: "student", values: [row.studentSourcedId] }),
  trigger: (row: Attempt) => one({ key: "trigger", values: [row.trigger as Trigger] }),
};

/** The grid's columns. Their cells are drawn again only when one of the given changes. */
export function columnsOf({ t, zone, shown, resent, onTerm }: Given): Column<Attempt>[] {
  const filtering = (term: (row: Attempt) => Term, inside: (row: Attempt) => ReactNode) => (row: Attempt) => (
    <button
      type="button"
      tabIndex={-1}
      title={t("cell.hint")}
      className="h-6 max-w-full truncate border-0 bg-transparent p-0 text-left align-middle text-text-1 decoration-dotted underline-offset-2 hover:underline"
      // The grid keeps the focus, and with it its keys.
      onMouseDown={(event: MouseEvent) => event.preventDefault()}
      onClick={(event: MouseEvent) => {
        event.stopPropagation();
        onTerm(term(row), event.altKey);
      }}
    >
      {inside(row)}
    </button>
  );
  const optional: Record<Optional, Column<Attempt>> = {
    student: {
      id: "student",
      header: t("column.student"),
      width: "110px",
      cell: (row) =>
        row.studentSourcedId ? (
          <Personal>{filtering(TERMS.student, (r) => <code>{r.studentSourcedId}</code>)(row)}</Personal>
        ) : (
          ""
        ),
    },
    trigger: {
      id: "trigger",
      header: t("column.trigger"),
      width: "128px",
      cell: filtering(TERMS.trigger, (row) => triggerWord(t, row.trigger)),
    },
    next: {
      id: "next",
      header: t("column.next"),
      width: "168px",
      cell: (row) => (row.nextAttemptAt ? <When at={row.nextAttemptAt} zone={zone} /> : ""),
    },
  };
  return [
    {
      id: "time",
      header: t("column.time"),
      width: "188px",
      cell: (row) => <When at={row.at ?? ""} zone={zone} millis />,
    },
    {
      id: "status",
      header: t("column.status"),
      width: "188px",
      cell: (row) => {
        const act = resent.get(row.messageId);
        // Only what was known before the act turns; the attempt that came of it stands for itself.
        if (act && (act.as || row.tryNumber < act.number)) return <ResentPill resent={act} />;
        return filtering(TERMS.status, () => <StatusWord t={t} status={row.status} />)(row);
      },
    },
    {
      id: "event",
      header: t("column.event"),
      width: "156px",
      cell: filtering(TERMS.event, (row) => <code>{row.eventType}</code>),
    },
    {
      id: "message",
      header: t("column.message"),
      width: "minmax(150px, 1fr)",
      cell: filtering(TERMS.message, (row) => <code>{row.messageId}</code>),
    },
    {
      id: "try",
      header: t("column.try"),
      width: "64px",
      align: "right",
      cell: filtering(TERMS.try, tryText),
    },
    { id: "code", header: t("column.code"), width: "132px", cell: filtering(TERMS.code, (row) => codeText(t, row)) },
    {
      id: "latency",
      header: t("column.latency"),
      width: "84px",
      align: "right",
      cell: filtering(TERMS.latency, (row) => formatDuration(row.latencyUs / 1_000)),
    },
    {
      id: "size",
      header: t("column.size"),
      width: "76px",
      align: "right",
      cell: (row) => formatBytes(row.requestBytes),
    },
    ...OPTIONAL.filter((id) => shown.includes(id)).map((id) => optional[id]),
  ];
}

/** `4/5`; beyond the automatic tries only the number. */
export const tryText = ({ tryNumber, maxTries }: Attempt) =>
  tryNumber <= maxTries ? `${tryNumber}/${maxTries}` : String(tryNumber);

/** The HTTP code with its cause's word, or the word alone where there was no answer. */
export function codeText(t: Words, { code, cause }: Attempt): string {
  const word = cause && cause !== "http" ? t(`cause.${cause}` as "cause.dns", { defaultValue: cause }) : "";
  return [code || "", word].filter(Boolean).join(" ");
}

export const triggerWord = (t: Words, trigger: string) =>
  t(`trigger.${trigger}` as "trigger.test", { defaultValue: trigger });

export function StatusWord({ t, status }: { t: Words; status: string }) {
  const word = t(`status.${status}` as "status.held", { defaultValue: status });
  return <StatusPill tone={TONE[status] ?? "queued"} icon={STATUS_ICON[status]} word={word} />;
}

/** A moment in the grid. How long ago it was is worked out when somebody asks, not for every row of a live list. */
function When({ at, zone, millis = false }: { at: string; zone: Preferences["zone"]; millis?: boolean }) {
  const iso = new Date(at).toISOString();
  return (
    <time
      dateTime={iso}
      className="tabular-nums"
      onMouseEnter={(event) => {
        event.currentTarget.title = `${formatRelative(at, Date.now())} · ${iso}`;
      }}
    >
      {formatTime(at, zone, millis)}
    </time>
  );
}
