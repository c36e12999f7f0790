import { Button, Form, Input, Radio } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { showViolations, useTell, useUndoToast } from "@/components/forms";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { AddressTest } from "./AddressTest";

interface Typed {
  url: string;
  ownReceiver: boolean;
}

/** Where a school's webhooks go and who receives them, with a test before it is saved. */
export function AddressForm({ school, locked }: { school: School; locked: boolean }) {
  const { t } = useTranslation("schools");
  const { t: common } = useTranslation();
  const tell = useTell();
  const undoToast = useUndoToast();
  const [form] = Form.useForm<Typed>();
  const url = Form.useWatch("url", form) ?? "";
  const connect = useAct("SchoolService/ConnectSchool", ["SchoolService", "LogService/GetOverview"]);
  const before: Typed = { url: school.connection?.url ?? "", ownReceiver: school.connection?.ownReceiver ?? false };
  const save = (typed: Typed) =>
    connect.mutate(
      { school: school.id, ...typed, url: typed.url.trim() },
      {
        onSuccess: () => {
          if (!before.url) return tell.done(t("settings.saved"));
          undoToast(t("settings.saved"), () => {
            connect.mutate({ school: school.id, ...before }, { onError: tell.failed });
            form.setFieldsValue(before);
          });
        },
        onError: (error) => {
          if (!showViolations(form, error)) tell.failed(error);
        },
      },
    );
  return (
    <Form
      form={form}
      layout="vertical"
      requiredMark={false}
      disabled={locked || connect.isPending}
      initialValues={before}
      onFinish={save}
    >
      <Form.Item
        name="url"
        label={t("address.label")}
        extra={t("address.hint")}
        rules={[{ required: true, whitespace: true, message: t("registering.required.url") }]}
      >
        <Input type="url" className="font-mono" placeholder="https://" spellCheck={false} autoComplete="off" />
      </Form.Item>
      <Form.Item name="ownReceiver" label={t("settings.receiver")}>
        <Radio.Group
          options={[
            { value: false, label: t("registering.app") },
            { value: true, label: t("registering.own") },
          ]}
        />
      </Form.Item>
      {!locked && (
        <div className="flex flex-col gap-4">
          <AddressTest url={url.trim()} />
          <Button type="primary" htmlType="submit" className="self-start" loading={connect.isPending}>
            {common("act.save")}
          </Button>
        </div>
      )}
    </Form>
  );
}
