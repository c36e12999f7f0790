import { Alert, Button, Progress } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { TypedConfirm } from "@/components/forms";
import { Section } from "@/components/Page";
import { Scroller } from "@/components/Scroller";
import { Loaded } from "@/components/states";
import type { ListGapsResponse } from "@/gen/rollcall/school/v1/receiver";
import { useCatchUp } from "./useCatchUp";

/** Above this, a replay asks for the school's name. */
const LARGE = 1_000;
const LISTED = 50;

/** What has not arrived, by sequence, and how to get it. */
export function CatchUp({ contiguous, head, school }: { contiguous: string; head?: string; school: string }) {
  const { t } = useTranslation("deskStatus");
  const { gaps, missing, preview, replay, started, count, fetch, cancel } = useCatchUp(contiguous);
  const [asking, setAsking] = useState(false);
  const highest = gaps.data?.highestSequence ?? contiguous;
  const behind = head !== undefined && Number(head) > Number(highest);
  const counted = preview.data;
  const total = Number(counted?.messages ?? 0);
  const press = () => (total > LARGE ? setAsking(true) : fetch());
  const failed = preview.error ?? replay.error;
  return (
    <Section
      title={t("catchUp.title")}
      actions={
        (missing > 0 || behind) &&
        !counted && (
          <Button loading={preview.isPending} onClick={count}>
            {t("catchUp.preview")}
          </Button>
        )
      }
    >
      <Loaded query={gaps}>
        {(data) => (
          <div className="flex flex-col gap-3">
            <p className="m-0 text-text-2" role="status">
              {missing > 0
                ? t("catchUp.missing", { count: missing })
                : t(started ? "catchUp.closed" : "catchUp.none", { sequence: data.contiguousSequence })}
              {behind && ` ${t("catchUp.tail", { head, highest })}`}
            </p>
            {data.gaps.length > 0 && <Gaps data={data} />}
            {failed && <Alert type="error" showIcon role="alert" title={failed.message} />}
            {counted && (
              <div className="flex flex-col items-start gap-2 rounded-card bg-surface-2 p-3">
                <p className="m-0">
                  {total > 0 ? t("catchUp.counted", { count: total }) : t("catchUp.nothing")}{" "}
                  {Number(counted.refused) > 0 && t("catchUp.refused", { count: Number(counted.refused) })}{" "}
                  {total > 0 && <span className="text-text-2">{t("catchUp.repeats")}</span>}
                </p>
                <div className="flex gap-2">
                  {total > 0 && (
                    <Button type="primary" loading={replay.isPending} onClick={press}>
                      {t("catchUp.fetch")}
                    </Button>
                  )}
                  <Button onClick={cancel}>{t("act.cancel", { ns: "common" })}</Button>
                </div>
              </div>
            )}
            {started && <Following started={started} missing={missing} />}
          </div>
        )}
      </Loaded>
      <TypedConfirm
        open={asking}
        title={t("catchUp.confirmTitle", { count: total })}
        text={t("catchUp.confirmText")}
        name={school}
        verb={t("catchUp.fetch")}
        onConfirm={() => {
          setAsking(false);
          fetch();
        }}
        onCancel={() => setAsking(false)}
      />
    </Section>
  );
}

function Following({
  started,
  missing,
}: {
  started: { missing: number; queued: number; refused: number };
  missing: number;
}) {
  const { t } = useTranslation("deskStatus");
  const total = Math.max(started.missing, 1);
  const done = Math.max(started.missing - missing, 0);
  return (
    <div className="flex flex-col gap-1">
      <p className="m-0">{t("catchUp.queued", { count: started.queued })}</p>
      {started.missing > 0 && (
        <Progress
          aria-label={t("catchUp.progressLabel")}
          percent={Math.floor((done / total) * 100)}
          format={() => t("catchUp.progress", { done, total: started.missing })}
        />
      )}
      {missing > 0 && started.refused > 0 && (
        <p className="m-0 text-text-2">{t("catchUp.refused", { count: started.refused })}</p>
      )}
    </div>
  );
}

function Gaps({ data }: { data: ListGapsResponse }) {
  const { t } = useTranslation("deskStatus");
  const shown = data.gaps.slice(0, LISTED);
  return (
    <Scroller label={t("catchUp.table")} className="max-h-56">
      <table className="w-full max-w-md border-collapse text-left tabular-nums">
        <caption className="sr-only">{t("catchUp.table")}</caption>
        <thead className="text-label text-text-2">
          <tr>
            <th className="py-1 font-medium">{t("catchUp.from")}</th>
            <th className="py-1 font-medium">{t("catchUp.to")}</th>
            <th className="py-1 font-medium">{t("catchUp.count")}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((gap) => (
            <tr key={gap.from} className="border-0 border-t border-solid border-hairline">
              <td className="py-1">{gap.from}</td>
              <td className="py-1">{gap.to}</td>
              <td className="py-1">{Number(gap.to) - Number(gap.from) + 1}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {data.gaps.length > shown.length && (
        <p className="m-0 text-label text-text-3">{t("catchUp.more", { count: shown.length })}</p>
      )}
    </Scroller>
  );
}
