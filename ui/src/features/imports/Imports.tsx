import { useNavigate } from "@tanstack/react-router";
import { Button } from "antd";
import { FileUp } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { usePages } from "@/api/hooks";
import { DataGrid } from "@/components/DataGrid";
import { DistrictSelect, useDistrict } from "@/components/district";
import { useTell } from "@/components/forms";
import { Page, Section } from "@/components/Page";
import { Empty, Loaded } from "@/components/states";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import { useProviderHost } from "@/shell/context";
import type { ShellFailure, Ticket } from "@/shell/host";
import { useMay } from "@/shell/session";
import { useColumns } from "./columns";
import { isAtWork } from "./run";
import { Upload } from "./Upload";

const LOOK_MS = 3_000;

/** The import runs of a district, and the way to a new one: drop a zip or choose it. */
export default function Imports() {
  const { t } = useTranslation("imports");
  const host = useProviderHost();
  const tell = useTell();
  const navigate = useNavigate();
  const mayImport = useMay("ROLE_OPERATOR");
  const { query: districtQuery, districts, district, choose } = useDistrict();
  const [file, setFile] = useState<Ticket | null>(null);
  const query = usePages(
    "ImportService/ListImports",
    { district: district?.id ?? "", pageSize: 100 },
    { enabled: district !== undefined },
  );
  const runs = query.data?.pages.flatMap((page) => page.runs) ?? [];
  const columns = useColumns();
  const working = runs.some(isAtWork);
  useEffect(() => {
    if (!working) return;
    const timer = setInterval(() => void query.refetch(), LOOK_MS);
    return () => clearInterval(timer);
  }, [working]);
  useEffect(() => {
    if (!mayImport) return;
    return host.watchDrops((dropped) => ("Ok" in dropped ? setFile(dropped.Ok) : tell.failed(dropped.Err)));
  }, [host, mayImport]);
  const chooseFile = () =>
    host.chooseFile(t("choose"), ["zip"]).then(
      (chosen) => chosen && setFile(chosen),
      (error: ShellFailure) => tell.failed(error),
    );
  return (
    <Page
      title={t("title")}
      fill
      actions={
        <>
          <DistrictSelect districts={districts} value={district?.id} onChange={choose} />
          {mayImport && (
            <Button type="primary" icon={<FileUp size={16} aria-hidden />} onClick={chooseFile}>
              {t("act.choose")}
            </Button>
          )}
        </>
      }
    >
      {mayImport ? (
        <div className="flex flex-col items-center gap-1 rounded-card border border-dashed border-control bg-surface px-6 py-6 text-center">
          <FileUp size={24} strokeWidth={1.5} aria-hidden className="text-text-3" />
          <p className="m-0 font-medium">{t("drop")}</p>
          <p className="m-0 text-text-3">{t("dropHint")}</p>
        </div>
      ) : (
        <p className="m-0 text-text-3">{t("readOnly")}</p>
      )}
      <Section title={t("runs")} flush fill>
        <Loaded
          query={districtQuery}
          isEmpty={({ districts: all }) => all.length === 0}
          empty={<Empty text={t("noDistrict")} />}
        >
          {() => (
            <Loaded query={query}>
              {() => (
                <DataGrid<ImportRun>
                  label={t("runs")}
                  rows={runs}
                  rowKey={({ id }) => id}
                  columns={columns}
                  totalRows={query.hasNextPage ? -1 : undefined}
                  copyText={({ id }) => id}
                  onOpen={({ id }) => void navigate({ to: "/imports/$run", params: { run: id } })}
                  onNearEnd={() => {
                    if (query.hasNextPage && !query.isFetching) void query.fetchNextPage();
                  }}
                  empty={
                    <Empty
                      text={t("empty")}
                      action={mayImport && <Button onClick={chooseFile}>{t("act.choose")}</Button>}
                    />
                  }
                />
              )}
            </Loaded>
          )}
        </Loaded>
      </Section>
      {file && (
        <Upload
          key={file.ticket}
          file={file}
          districts={districts}
          district={district?.id}
          onClose={() => setFile(null)}
          onStarted={({ id }) => void navigate({ to: "/imports/$run", params: { run: id } })}
        />
      )}
    </Page>
  );
}
