import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Button, Dropdown, Input } from "antd";
import { Download, Search } from "lucide-react";
import { useDeferredValue, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useReceiverStatus } from "@/api/desk";
import { refresh, usePages } from "@/api/hooks";
import type { Rpcs } from "@/api/methods";
import { type Column, DataGrid } from "@/components/DataGrid";
import { useTell } from "@/components/forms";
import { Page } from "@/components/Page";
import { Personal } from "@/components/personal";
import { SidePanel } from "@/components/SidePanel";
import { Empty, EmptyFilter, Loaded } from "@/components/states";
import { Time } from "@/components/time";
import type { RosterStudent, Status } from "@/gen/rollcall/school/v1/receiver";
import { useHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { recordOf } from "./record";
import { StudentPanel } from "./StudentPanel";

/** A search begins once the typing rests this long. */
const REST_MS = 250;

/** The students that this school holds, as they were sent. Nothing is changed here. */
export default function Roster() {
  const { t } = useTranslation("deskRoster");
  const navigate = useNavigate();
  const [search, setSearch] = useState("");
  const rested = useRested(search.trim(), REST_MS);
  /** Only who it is: what is shown of them is always what is held now. */
  const [open, setOpen] = useState<string | null>(null);
  const status = useReceiverStatus();
  const pages = usePages("ReceiverService/ListStudents", { pageSize: 200, search: rested });
  const students = useDeferredValue(pages.data?.pages.flatMap((page) => page.students) ?? []);
  useFollow(status.data);
  const exporting = useExport(status.data?.schoolSourcedId ?? "school");
  const count = status.data?.students;
  const columns = useMemo(() => columnsOf(t), [t]);
  const empty = rested ? (
    <EmptyFilter text={t("emptySearch", { search: rested })} onClear={() => setSearch("")} />
  ) : (
    <Empty text={t("empty")} action={<Button onClick={() => void navigate({ to: "/" })}>{t("emptyAction")}</Button>} />
  );
  return (
    <Page
      title={t("title")}
      fill
      extra={count !== undefined && <span className="text-text-3 tabular-nums">{t("count", { count })}</span>}
      actions={
        <>
          <Input
            prefix={<Search size={14} aria-hidden className="text-text-3" />}
            data-filter
            allowClear
            className="w-72"
            aria-label={t("search")}
            placeholder={t("search")}
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
          <Dropdown
            trigger={["click"]}
            menu={{
              items: FORMS.map((form) => ({
                key: form,
                label: t(`form.${form}`),
                onClick: () => void exporting.run(form),
              })),
            }}
          >
            <Button icon={<Download size={14} aria-hidden />} loading={exporting.busy}>
              {t("export")}
            </Button>
          </Dropdown>
        </>
      }
    >
      <p className="m-0 -mt-2 text-text-3">{t("readOnly")}</p>
      <div className="flex min-h-0 flex-1 overflow-hidden rounded-card border border-solid border-hairline">
        <Loaded query={pages as never}>
          {() => (
            <DataGrid
              label={t("title")}
              rows={students}
              rowKey={(row) => row.sourcedId}
              columns={columns}
              totalRows={pages.hasNextPage ? (rested || count === undefined ? -1 : count + 1) : undefined}
              openKey={open}
              onOpen={(row) => setOpen(row.sourcedId)}
              copyText={(row) => row.sourcedId}
              onNearEnd={() => {
                if (pages.hasNextPage && !pages.isFetchingNextPage) void pages.fetchNextPage();
              }}
              empty={empty}
            />
          )}
        </Loaded>
        {open !== null && <OpenStudent key={open} sourcedId={open} listed={students} onClose={() => setOpen(null)} />}
      </div>
    </Page>
  );
}

/** The student of a row, as held now; who has left is said to have left, and nothing else of them is kept in view. */
function OpenStudent({
  sourcedId,
  listed,
  onClose,
}: {
  sourcedId: string;
  listed: RosterStudent[];
  onClose: () => void;
}) {
  const { t } = useTranslation("deskRoster");
  const { student, query } = useStudent(sourcedId, listed);
  return (
    <SidePanel
      label={t("panel.label")}
      title={student ? <Personal>{`${student.givenName} ${student.familyName}`}</Personal> : <code>{sourcedId}</code>}
      onClose={onClose}
    >
      {student ? (
        <StudentPanel student={student} />
      ) : (
        <Loaded query={query as never}>{() => <Empty text={t("panel.gone")} />}</Loaded>
      )}
    </SidePanel>
  );
}

/** From the list; a student whom another search hides from it is looked for by the id before they count as gone. */
function useStudent(sourcedId: string, listed: RosterStudent[]) {
  const find = (students: RosterStudent[]) => students.find((held) => held.sourcedId === sourcedId);
  const inList = find(listed);
  const look = usePages(
    "ReceiverService/ListStudents",
    { pageSize: 1_000, search: sourcedId },
    { enabled: inList === undefined },
  );
  const student = inList ?? find(look.data?.pages.flatMap((page) => page.students) ?? []);
  const { hasNextPage, isFetching, isError, fetchNextPage } = look;
  // An id may be a part of many others.
  const goOn = !student && hasNextPage && !isFetching && !isError;
  useEffect(() => {
    if (goOn) void fetchNextPage();
  }, [goOn, fetchNextPage]);
  // Before the last page nobody is gone.
  const data = hasNextPage ? undefined : look.data;
  return { student, query: { ...look, data, isPending: data === undefined && !isError } };
}

type Words = ReturnType<typeof useTranslation<"deskRoster">>["t"];

function columnsOf(t: Words): Column<RosterStudent>[] {
  return [
    {
      id: "family",
      header: t("column.family"),
      width: "minmax(140px, 1.2fr)",
      cell: (row) => <Personal>{row.familyName}</Personal>,
    },
    {
      id: "given",
      header: t("column.given"),
      width: "minmax(140px, 1.2fr)",
      cell: (row) => <Personal>{row.givenName}</Personal>,
    },
    { id: "grades", header: t("column.grades"), width: "90px", cell: (row) => row.grades.join(", ") },
    {
      id: "identifier",
      header: t("column.identifier"),
      width: "minmax(110px, 0.8fr)",
      cell: (row) => <Personal>{String(recordOf(row.json).identifier ?? "")}</Personal>,
    },
    {
      id: "sourcedId",
      header: t("column.sourcedId"),
      width: "minmax(120px, 1fr)",
      cell: (row) => <code>{row.sourcedId}</code>,
    },
    { id: "version", header: t("column.version"), width: "76px", align: "right", cell: (row) => row.version },
    { id: "received", header: t("column.received"), width: "170px", cell: (row) => <Time at={row.receivedAt} /> },
  ];
}

/** The list and what is open follow what arrives: they are read again whenever the receiver tells of a change. */
function useFollow(status: Status | undefined) {
  const client = useQueryClient();
  // The highest sequence alone misses a gap that closes: what fills it has a lower number.
  const told =
    status && [status.highestSequence, status.contiguousSequence, status.lastVerifiedAt, status.students].join(" ");
  useEffect(() => {
    if (told !== undefined) {
      void refresh(client, ["ReceiverService/ListStudents", "ReceiverService/ListStudentHistory"]);
    }
  }, [client, told]);
}

function useRested<T>(value: T, ms: number): T {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return rested;
}

/** The forms of a file, and how its name ends. */
const ENDINGS = { csv: "csv", oneroster: "zip", jsonl: "jsonl" } as const;
type Form = keyof typeof ENDINGS;
const FORMS = Object.keys(ENDINGS) as Form[];

/** Writes the roster to a file that somebody names. */
function useExport(school: string) {
  const { t } = useTranslation("deskRoster");
  const host = useHost();
  const tell = useTell();
  const [busy, setBusy] = useState(false);
  const run = async (format: Form) => {
    setBusy(true);
    const day = new Date().toISOString().slice(0, 10);
    const name = `roster-${school.replace(/[^0-9A-Za-z.-]/g, "_")}-${day}.${ENDINGS[format]}`;
    const request: Rpcs["ReceiverService/ExportRoster"]["request"] = { format };
    try {
      const bytes = await host.saveFile("ReceiverService/ExportRoster", request, name);
      if (bytes !== null) tell.done(t("exported", { size: sizeOf(bytes) }));
    } catch (error) {
      tell.failed(error as ShellFailure);
    } finally {
      setBusy(false);
    }
  };
  return { busy, run };
}

const sizeOf = (bytes: number) =>
  bytes < 1_048_576 ? `${Math.max(1, Math.round(bytes / 1_024))} KB` : `${(bytes / 1_048_576).toFixed(1)} MB`;
