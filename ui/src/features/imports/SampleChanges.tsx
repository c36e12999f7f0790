import { Button, Segmented, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { usePages } from "@/api/hooks";
import { Section } from "@/components/Page";
import { EmptyFilter, Loaded } from "@/components/states";
import type { ImportRun } from "@/gen/rollcall/provider/v1/import";
import { PlannedRow } from "./PlannedRow";

type Kind = "" | "created" | "updated" | "deleted";
const KINDS: Kind[] = ["", "created", "updated", "deleted"];

/** Whose record a held run would change, and how. It is read only once asked for: the look is audited. */
export function SampleChanges({ run }: { run: ImportRun }) {
  const { t } = useTranslation("imports");
  const { t: common } = useTranslation();
  const [shown, setShown] = useState(false);
  const [kind, setKind] = useState<Kind>("");
  const [school, setSchool] = useState("");
  const query = usePages(
    "ImportService/ListPlannedChanges",
    { run: run.id, kind, schoolSourcedId: school, pageSize: 25 },
    { enabled: shown, keep: true },
  );
  const changes = query.data?.pages.flatMap((page) => page.changes) ?? [];
  return (
    <Section
      title={t("sample.title")}
      flush
      actions={
        shown && (
          <>
            <Segmented<Kind>
              aria-label={t("sample.kind")}
              value={kind}
              onChange={setKind}
              options={KINDS.map((value) => ({ value, label: value ? t(`count.${value}`) : t("sample.all") }))}
            />
            <Select
              aria-label={t("column.school")}
              className="w-52"
              value={school}
              onChange={setSchool}
              showSearch={{ optionFilterProp: "label" }}
              options={[
                { value: "", label: t("sample.anySchool") },
                ...run.schools.map(({ schoolSourcedId, schoolName }) => ({
                  value: schoolSourcedId,
                  label: schoolName,
                })),
              ]}
            />
          </>
        )
      }
    >
      {shown ? (
        <Loaded query={query}>
          {() =>
            changes.length === 0 && !query.hasNextPage ? (
              <EmptyFilter
                text={t("sample.none")}
                onClear={() => {
                  setKind("");
                  setSchool("");
                }}
              />
            ) : (
              <>
                <ul aria-label={t("sample.title")} className="m-0 list-none p-0">
                  {changes.map((change) => (
                    <PlannedRow key={`${change.kind} ${change.sourcedId}`} change={change} schools={run.schools} />
                  ))}
                </ul>
                {query.hasNextPage && (
                  <div className="p-3 text-center">
                    <Button loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                      {common("act.loadMore")}
                    </Button>
                  </div>
                )}
              </>
            )
          }
        </Loaded>
      ) : (
        <div className="flex flex-wrap items-center gap-3 p-4">
          <Button onClick={() => setShown(true)}>{t("sample.show")}</Button>
          <span className="text-text-3">{t("sample.audited")}</span>
        </div>
      )}
    </Section>
  );
}
