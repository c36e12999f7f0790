import { useNavigate } from "@tanstack/react-router";
import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { Exact } from "@/components/Copy";
import { Facts } from "@/components/Page";
import { formatDuration, formatRelative, formatTime, useZoneName } from "@/components/time";
import type { ReceivedEvent } from "@/gen/rollcall/school/v1/receiver";
import { usePreferences } from "@/theme/preferences";
import { VERDICTS } from "./rows";

/** Everything that was recorded about one arrival. */
export function EventFacts({ event }: { event: ReceivedEvent }) {
  const { t } = useTranslation("deskEvents");
  const navigate = useNavigate();
  const { zone } = usePreferences();
  const zoneName = useZoneName();
  const known = VERDICTS.find((verdict) => verdict === event.verdict);
  const none = <span className="text-text-3">{t("panel.none")}</span>;
  const at = event.at ?? "";
  return (
    <div className="flex flex-col gap-4">
      {known && <p className="m-0 text-text-2">{t(`meaning.${known}`)}</p>}
      <Facts
        facts={[
          [
            t("panel.at"),
            <span key="at">
              {formatTime(at, zone, true)} <span className="text-text-3">({zoneName})</span>
              <br />
              <span className="text-text-3">{formatRelative(at, Date.now())}</span>
              <br />
              <Exact text={new Date(at).toISOString()} />
            </span>,
          ],
          [t("column.event"), event.eventType ? <code key="type">{event.eventType}</code> : none],
          [t("column.id"), event.messageId ? <Exact key="id" text={event.messageId} /> : none],
          [t("column.sequence"), event.sequence === "0" ? none : event.sequence],
          [t("panel.student"), event.studentSourcedId ? <Exact key="student" text={event.studentSourcedId} /> : none],
          [t("column.result"), event.result],
          [t("column.code"), event.code],
          [t("column.latency"), formatDuration(event.latencyUs / 1_000)],
          [t("panel.number"), event.number],
        ]}
      />
      <div>
        <Button
          onClick={() =>
            void navigate({ to: "/signature" as "/", search: { id: event.messageId, at: event.at } as never })
          }
        >
          {t("panel.debug")}
        </Button>
      </div>
    </div>
  );
}
