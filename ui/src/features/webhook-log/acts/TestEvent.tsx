import { App, Button, Tooltip } from "antd";
import { Zap } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { useTell } from "@/components/forms";
import { formatDuration } from "@/components/time";
import { useMay } from "@/shell/session";

/** Sends a `connection.test` and tells what the school's system answered. */
export function TestEvent({ school }: { school: string }) {
  const { t } = useTranslation("webhookLog");
  const { notification } = App.useApp();
  const tell = useTell();
  const operator = useMay("ROLE_OPERATOR");
  const test = useAct("SchoolService/SendTestEvent", ["SchoolService/GetSchool"]);
  const send = () =>
    test.mutate(
      { school },
      {
        onSuccess: ({ ok, code, detail, latencyMs }) => {
          if (ok) tell.done(t("act.testOk", { code, latency: formatDuration(latencyMs) }));
          else {
            notification.error({
              title: t("act.testFailed"),
              description: detail,
              duration: 0,
              placement: "bottomRight",
              role: "alert",
            });
          }
        },
        onError: tell.failed,
      },
    );
  return (
    <Tooltip title={operator ? "" : t("act.needsOperator")}>
      <Button disabled={!operator} loading={test.isPending} icon={<Zap size={14} aria-hidden />} onClick={send}>
        {t("act.test")}
      </Button>
    </Tooltip>
  );
}
