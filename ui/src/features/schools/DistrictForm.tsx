import { Alert, Button, Form, Input } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { showViolations, useTell } from "@/components/forms";
import { useMay } from "@/shell/session";

interface Typed {
  name: string;
  sourcedId: string;
}

/** The first district of a new installation; schools belong to one. */
export function DistrictForm() {
  const { t } = useTranslation("schools");
  const tell = useTell();
  const owner = useMay("ROLE_OWNER");
  const [form] = Form.useForm<Typed>();
  const create = useAct("DistrictService/CreateDistrict", ["DistrictService"]);
  if (!owner) return <Alert type="info" showIcon title={t("registering.noDistrict")} />;
  const submit = (typed: Typed) =>
    create.mutate(
      { name: typed.name.trim(), sourcedId: typed.sourcedId.trim() },
      {
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
      initialValues={{ name: "", sourcedId: "" }}
      onFinish={submit}
    >
      <p className="mt-0 text-text-2">{t("firstDistrict.why")}</p>
      <Form.Item
        name="name"
        label={t("firstDistrict.name")}
        rules={[{ required: true, whitespace: true, message: t("firstDistrict.required") }]}
      >
        <Input autoFocus maxLength={255} />
      </Form.Item>
      <Form.Item
        name="sourcedId"
        label={t("firstDistrict.sourcedId")}
        extra={t("firstDistrict.hint")}
        rules={[{ required: true, whitespace: true, message: t("firstDistrict.requiredId") }]}
      >
        <Input className="font-mono" spellCheck={false} autoComplete="off" />
      </Form.Item>
      <Button type="primary" htmlType="submit" loading={create.isPending}>
        {t("firstDistrict.create")}
      </Button>
    </Form>
  );
}
