import { Link, useParams } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Exact } from "@/components/Copy";
import { useDistrict } from "@/components/district";
import { Facts, Page, Section } from "@/components/Page";
import { Loaded } from "@/components/states";
import { Time } from "@/components/time";
import type { ImportRun as Run } from "@/gen/rollcall/provider/v1/import";
import { RunState } from "./columns";
import { Holds } from "./Holds";
import { Outcome } from "./Outcome";
import { Problems } from "./Problems";
import { Running } from "./Running";
import { isAtWork } from "./run";
import { SampleChanges } from "./SampleChanges";
import { SchoolCounts } from "./SchoolCounts";
import { useRun } from "./useRun";

/** One run: live while it works, to be decided while it is held, its outcome afterwards. */
export default function ImportRun() {
  const { t } = useTranslation("imports");
  const { run: id } = useParams({ strict: false }) as { run: string };
  const query = useRun(id);
  const { districts } = useDistrict();
  const run = query.data;
  return (
    <Page
      title={run?.fileName ?? t("runTitle")}
      back={
        <Link
          to="/imports"
          aria-label={t("back")}
          className="inline-flex h-8 w-8 items-center justify-center rounded-control text-text-2 hover:bg-surface-2"
        >
          <ArrowLeft size={16} aria-hidden />
        </Link>
      }
      extra={run && <RunState run={run} />}
    >
      <Loaded query={query}>{(loaded) => <Parts run={loaded} district={nameOf(loaded, districts)} />}</Loaded>
    </Page>
  );
}

const nameOf = ({ districtId }: Run, districts: { id: string; name: string }[]) =>
  districts.find(({ id }) => id === districtId)?.name;

function Parts({ run, district }: { run: Run; district?: string }) {
  const { t } = useTranslation("imports");
  const held = run.state === "IMPORT_STATE_HELD";
  return (
    <>
      {isAtWork(run) && <Running run={run} />}
      {held && <Holds run={run} district={district ?? run.fileName} />}
      {!isAtWork(run) && !held && <Outcome run={run} />}
      {run.counts && <SchoolCounts run={run} />}
      {held && <SampleChanges run={run} />}
      {run.counts && <Problems run={run} />}
      <Section title={t("about")}>
        <Facts
          facts={[
            [t("fact.district"), district ?? "–"],
            [t("fact.detected"), run.version ? t("kindOf", { version: run.version, kind: run.kind }) : t("notYet")],
            [t("fact.profile"), t(`profile.${run.profile === "strict" ? "strict" : "lenient"}`)],
            [t("fact.rows"), Number(run.rowsTotal || run.rowsRead).toLocaleString("en")],
            [t("column.started"), <Time key="started" at={run.startedAt} />],
            [t("fact.finished"), run.finishedAt ? <Time key="finished" at={run.finishedAt} /> : "–"],
            [t("column.by"), run.startedBy],
            [t("fact.run"), <Exact key="id" text={run.id} />],
          ]}
        />
      </Section>
    </>
  );
}
