import { Button } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { usePages } from "@/api/hooks";
import { CopyButton, Exact } from "@/components/Copy";
import { Facts } from "@/components/Page";
import { Personal } from "@/components/personal";
import { Scroller } from "@/components/Scroller";
import { Empty, Loaded } from "@/components/states";
import { Time } from "@/components/time";
import type { RosterStudent } from "@/gen/rollcall/school/v1/receiver";
import { usePreferences } from "@/theme/preferences";
import { Arrival, useFieldName } from "./Arrival";
import { PERSONAL, recordOf, valueWords } from "./record";

/** In the panel's first part by themselves, or of no use to people. */
const APART = new Set(["sourcedId", "version", "dateLastModified"]);

/** One student: the record as it is held, and how it came to be. */
export function StudentPanel({ student }: { student: RosterStudent }) {
  const { t } = useTranslation("deskRoster");
  const fieldName = useFieldName();
  const history = usePages("ReceiverService/ListStudentHistory", { sourcedId: student.sourcedId, pageSize: 50 });
  const arrivals = history.data?.pages.flatMap((page) => page.arrivals) ?? [];
  const fields = Object.entries(recordOf(student.json)).filter(([field]) => !APART.has(field));
  const facts: [string, ReactNode][] = fields.map(([field, value]) => {
    const text = <span className="whitespace-pre-wrap">{valueWords(JSON.stringify(value))}</span>;
    return [fieldName(field), PERSONAL.has(field) ? <Personal key={field}>{text}</Personal> : text];
  });
  return (
    <div className="flex flex-col gap-5">
      <section aria-label={t("panel.now")} className="flex flex-col gap-2">
        <Facts
          facts={[
            [t("column.sourcedId"), <Exact key="id" text={student.sourcedId} />],
            [t("column.version"), student.version],
            [t("column.received"), <Time key="at" at={student.receivedAt} />],
            ...facts,
          ]}
        />
        <Raw json={student.json} />
      </section>
      <section aria-label={t("panel.history")}>
        <h3 className="mt-0 mb-2 text-section font-semibold">{t("panel.history")}</h3>
        <Loaded query={history as never}>
          {() =>
            arrivals.length === 0 ? (
              <Empty text={t("panel.historyEmpty")} />
            ) : (
              <ol className="m-0 flex list-none flex-col gap-3 p-0">
                {arrivals.map((arrival) => (
                  <Arrival key={arrival.event?.number ?? arrival.version} arrival={arrival} />
                ))}
              </ol>
            )
          }
        </Loaded>
        {history.hasNextPage && (
          <Button className="mt-3" loading={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
            {t("act.loadMore", { ns: "common" })}
          </Button>
        )}
      </section>
    </div>
  );
}

/** The exact text of the record, on demand: its keys are never sorted anew. */
function Raw({ json }: { json: string }) {
  const { t } = useTranslation("deskRoster");
  const { hidePersonal } = usePreferences();
  const [shown, setShown] = useState(false);
  return (
    <div>
      <div className="flex items-center gap-1">
        <Button size="small" type="link" className="px-0!" aria-expanded={shown} onClick={() => setShown(!shown)}>
          {shown ? t("panel.hideJson") : t("panel.showJson")}
        </Button>
        {shown && !hidePersonal && <CopyButton text={json} />}
      </div>
      {shown && (
        <Scroller label={t("panel.json")} className="max-h-64 rounded-card bg-surface-2 p-3">
          <pre className="m-0 break-all whitespace-pre-wrap">{hidePersonal ? t("panel.hidden") : json}</pre>
        </Scroller>
      )}
    </div>
  );
}
