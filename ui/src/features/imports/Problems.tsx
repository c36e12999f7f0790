import { Button } from "antd";
import { Download } from "lucide-react";
import { useTranslation } from "react-i18next";
import { usePages } from "@/api/hooks";
import { formatBytes } from "@/components/bytes";
import { useTell } from "@/components/forms";
import { Section } from "@/components/Page";
import { StatusPill } from "@/components/StatusPill";
import { Loaded } from "@/components/states";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import { useHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { byRule } from "./run";

/** What was wrong in the file, by rule: how often, where first, how it is put right. */
export function Problems({ run }: { run: ImportRun }) {
  const { t } = useTranslation("imports");
  const { t: common } = useTranslation();
  const host = useHost();
  const tell = useTell();
  const all = Number(run.counts?.errors ?? 0) + Number(run.counts?.warnings ?? 0);
  const query = usePages("ImportService/ListProblems", { run: run.id, pageSize: 1_000 }, { enabled: all > 0 });
  const problems = query.data?.pages.flatMap((page) => page.problems) ?? [];
  if (all === 0) {
    return (
      <Section title={t("problems.title")}>
        <p className="m-0">{t("problems.none")}</p>
      </Section>
    );
  }
  const save = () =>
    host.saveFile("ImportService/ExportProblems", { run: run.id }, "errors.csv").then(
      (bytes) => bytes !== null && tell.done(t("problems.saved", { size: formatBytes(bytes) })),
      (error: ShellFailure) => tell.failed(error),
    );
  return (
    <Section
      title={t("problems.title")}
      flush
      actions={
        <Button size="small" icon={<Download size={14} aria-hidden />} onClick={save}>
          {t("problems.download")}
        </Button>
      }
    >
      <p className="m-0 px-4 pt-3 text-text-2">
        {t("problems.counts", {
          errors: Number(run.counts?.errors ?? 0).toLocaleString("en"),
          warnings: Number(run.counts?.warnings ?? 0).toLocaleString("en"),
          rejected: Number(run.counts?.rejected ?? 0).toLocaleString("en"),
        })}
      </p>
      <Loaded query={query}>
        {() => (
          <div className="overflow-x-auto">
            <table aria-label={t("problems.title")} className="mt-2 w-full min-w-[760px] border-collapse text-left">
              <thead className="bg-surface-2 text-label text-text-2">
                <tr>
                  {(["severity", "rule", "count", "first", "fix"] as const).map((column) => (
                    <th
                      key={column}
                      scope="col"
                      className={`px-4 py-1.5 font-medium ${column === "count" ? "text-right" : ""}`}
                    >
                      {t(`problems.column.${column}`)}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {byRule(problems).map(({ code, severity, message, howToFix, first, count }) => (
                  <tr
                    key={`${severity} ${code} ${first.file} ${first.field}`}
                    className="border-0 border-b border-solid border-hairline align-top"
                  >
                    <td className="px-4 py-2">
                      <StatusPill
                        tone={severity === "error" ? "failed" : "retrying"}
                        word={t(severity === "error" ? "problems.error" : "problems.warning")}
                      />
                    </td>
                    <th scope="row" className="px-4 py-2 font-normal">
                      {message}
                      <code className="block text-text-3">{code}</code>
                    </th>
                    <td className="px-4 py-2 text-right tabular-nums">{count.toLocaleString("en")}</td>
                    <td className="px-4 py-2">
                      <code>
                        {first.file}
                        {first.line !== "0" && `:${first.line}`}
                      </code>
                      {first.field && <code className="block text-text-3">{first.field}</code>}
                      {first.sourcedId && <code className="block text-text-3">{first.sourcedId}</code>}
                    </td>
                    <td className="px-4 py-2">{howToFix}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {query.hasNextPage && (
              <div className="flex items-center gap-3 p-3">
                <Button loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  {common("act.loadMore")}
                </Button>
                <span className="text-text-3">
                  {t("problems.grouped", {
                    shown: problems.length.toLocaleString("en"),
                    all: all.toLocaleString("en"),
                  })}
                </span>
              </div>
            )}
          </div>
        )}
      </Loaded>
    </Section>
  );
}
