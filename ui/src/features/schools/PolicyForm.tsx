import { Button, Form, InputNumber } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { showViolations, useTell } from "@/components/forms";
import type { RetryPolicy, School } from "@/gen/rollcall/provider/v1/school";

interface Typed {
  retry: RetryPolicy;
  maxInFlight: number;
}

/** The form holds what is sent, ms; people read and type seconds. */
const AS_SECONDS = {
  getValueProps: (ms?: number | null) => ({ value: ms == null ? ms : ms / 1_000 }),
  normalize: (seconds?: number | null) => (seconds == null ? seconds : Math.round(seconds * 1_000)),
};
const DEFAULTS: RetryPolicy = {
  maxTries: 5,
  delaysMs: [5_000, 30_000, 180_000, 1_080_000],
  probeMs: 900_000,
  timeoutMs: 15_000,
};

/** When a failed message is tried again, how long a try may take, and how many at once. */
export function PolicyForm({ school, locked }: { school: School; locked: boolean }) {
  const { t } = useTranslation("schools");
  const { t: common } = useTranslation();
  const tell = useTell();
  const [form] = Form.useForm<Typed>();
  const connect = useAct("SchoolService/ConnectSchool", ["SchoolService/GetSchool"]);
  const connection = school.connection || undefined;
  if (!connection?.url) return <p className="m-0 text-text-2">{t("settings.policyNeedsAddress")}</p>;
  const { url, ownReceiver } = connection;
  const save = ({ retry, maxInFlight }: Typed) =>
    connect.mutate(
      { school: school.id, url, ownReceiver, retry, maxInFlight },
      {
        onSuccess: () => tell.done(t("settings.policySaved")),
        onError: (error) => {
          if (!showViolations(form, error)) tell.failed(error);
        },
      },
    );
  return (
    <Form<Typed>
      form={form}
      layout="vertical"
      requiredMark={false}
      disabled={locked || connect.isPending}
      initialValues={{ retry: connection.retry || DEFAULTS, maxInFlight: connection.maxInFlight }}
      onFinish={save}
    >
      <div className="grid grid-cols-1 gap-x-6 sm:grid-cols-2">
        <Form.Item name={["retry", "maxTries"]} label={t("settings.maxTries")}>
          <InputNumber min={1} max={20} precision={0} className="!w-full" />
        </Form.Item>
        <Form.Item name="maxInFlight" label={t("settings.inFlight")}>
          <InputNumber min={1} max={256} precision={0} className="!w-full" />
        </Form.Item>
        <Form.Item name={["retry", "timeoutMs"]} label={t("settings.timeout")} {...AS_SECONDS}>
          <InputNumber min={0.1} max={15} step={1} className="!w-full" />
        </Form.Item>
        <Form.Item name={["retry", "probeMs"]} label={t("settings.probe")} {...AS_SECONDS}>
          <InputNumber min={0.001} max={86_400} className="!w-full" />
        </Form.Item>
      </div>
      <Form.List name={["retry", "delaysMs"]}>
        {(fields, { add, remove }) => (
          <div role="group" aria-labelledby="policy-waits" className="mb-6">
            <div id="policy-waits" className="mb-1 text-text-2">
              {t("settings.delays")}
            </div>
            <div className="flex flex-wrap items-start gap-2">
              {fields.map((field, index) => (
                <Form.Item key={field.key} name={field.name} className="!mb-0" {...AS_SECONDS}>
                  <InputNumber
                    aria-label={t("settings.delay", { number: index + 2 })}
                    min={0.001}
                    max={86_400}
                    className="!w-28"
                  />
                </Form.Item>
              ))}
              <Button disabled={locked || fields.length >= 20} onClick={() => add(1_080_000)}>
                {t("settings.addDelay")}
              </Button>
              <Button disabled={locked || fields.length <= 1} onClick={() => remove(fields.length - 1)}>
                {t("settings.removeDelay")}
              </Button>
            </div>
          </div>
        )}
      </Form.List>
      {!locked && (
        <Button htmlType="submit" loading={connect.isPending}>
          {common("act.save")}
        </Button>
      )}
    </Form>
  );
}
