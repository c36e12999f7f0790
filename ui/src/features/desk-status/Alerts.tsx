import { Alert, Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { Exact } from "@/components/Copy";
import { Loaded } from "@/components/states";
import { Time } from "@/components/time";

/** What the receiver raised an alarm about: the newest at once, all of them on demand. */
export function Alerts({ count, latest }: { count: number; latest: string }) {
  const { t } = useTranslation("deskStatus");
  const [open, setOpen] = useState(false);
  return (
    <Alert
      type="error"
      showIcon
      role="alert"
      title={t("alerts.title", { count })}
      description={
        <>
          {latest}
          {open && <AlertList />}
        </>
      }
      action={
        <Button size="small" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? t("alerts.hide") : t("alerts.show")}
        </Button>
      }
    />
  );
}

function AlertList() {
  const { t } = useTranslation("deskStatus");
  const alerts = useCall("ReceiverService/ListAlerts", { pageSize: 100 });
  return (
    <Loaded query={alerts}>
      {(data) => (
        <ul
          aria-label={t("alerts.list")}
          className="mt-3 mb-0 flex max-h-64 list-none flex-col gap-2 overflow-auto p-0"
        >
          {data.alerts.map((alert) => (
            <li key={alert.number} className="border-0 border-t border-solid border-hairline pt-2">
              <div className="flex flex-wrap items-center gap-3 text-label text-text-2">
                <Time at={alert.at} />
                {alert.messageId && <Exact text={alert.messageId} />}
              </div>
              {alert.words}
            </li>
          ))}
        </ul>
      )}
    </Loaded>
  );
}
