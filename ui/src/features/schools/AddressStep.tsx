import { Button, Form, Input } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { showViolations, useTell } from "@/components/forms";
import { AddressTest } from "./AddressTest";
import type { Created } from "./DetailsStep";

interface AddressStepProps {
  created: Created;
  onDone: () => void;
}

/** Where the school's webhooks go, tried before it is saved. */
export function AddressStep({ created, onDone }: AddressStepProps) {
  const { t } = useTranslation("schools");
  const tell = useTell();
  const [form] = Form.useForm<{ url: string }>();
  const url = Form.useWatch("url", form) ?? "";
  const connect = useAct("SchoolService/ConnectSchool", ["SchoolService", "LogService/GetOverview"]);
  const submit = (typed: { url: string }) =>
    connect.mutate(
      { school: created.school.id, url: typed.url.trim(), ownReceiver: created.ownReceiver },
      {
        onSuccess: onDone,
        onError: (error) => {
          if (!showViolations(form, error)) tell.failed(error);
        },
      },
    );
  return (
    <Form form={form} layout="vertical" requiredMark={false} initialValues={{ url: "" }} onFinish={submit}>
      <Form.Item
        name="url"
        label={t("address.label")}
        extra={t("address.hint")}
        rules={[{ required: true, whitespace: true, message: t("registering.required.url") }]}
      >
        <Input
          autoFocus
          type="url"
          inputMode="url"
          className="font-mono"
          placeholder="https://"
          spellCheck={false}
          autoComplete="off"
        />
      </Form.Item>
      <div className="mb-6">
        <AddressTest url={url.trim()} />
      </div>
      <div className="flex gap-2">
        <Button type="primary" htmlType="submit" loading={connect.isPending}>
          {t("registering.saveAddress")}
        </Button>
        {!created.ownReceiver && <Button onClick={onDone}>{t("registering.skip")}</Button>}
      </div>
    </Form>
  );
}
