import { Button, Form, Input } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { showViolations, useTell, useUndoToast } from "@/components/forms";
import type { School } from "@/gen/rollcall/provider/v1/school";

/** Renames a school; its sourcedId never changes. */
export function NameForm({ school, locked }: { school: School; locked: boolean }) {
  const { t } = useTranslation("schools");
  const { t: common } = useTranslation();
  const tell = useTell();
  const undoToast = useUndoToast();
  const [form] = Form.useForm<{ name: string }>();
  const update = useAct("SchoolService/UpdateSchool", ["SchoolService", "LogService/GetOverview"]);
  const before = school.name;
  const save = ({ name }: { name: string }) =>
    update.mutate(
      { school: school.id, name },
      {
        onSuccess: (renamed) =>
          undoToast(t("settings.renamed", { name: renamed.name }), () => {
            update.mutate({ school: school.id, name: before }, { onError: tell.failed });
            form.setFieldsValue({ name: before });
          }),
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
      disabled={locked || update.isPending}
      initialValues={{ name: before }}
      onFinish={save}
    >
      <Form.Item
        name="name"
        label={t("registering.name")}
        rules={[{ required: true, whitespace: true, message: t("registering.required.name") }]}
      >
        <Input maxLength={255} />
      </Form.Item>
      {!locked && (
        <Button htmlType="submit" loading={update.isPending}>
          {common("act.save")}
        </Button>
      )}
    </Form>
  );
}
