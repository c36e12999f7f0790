import { Form, Input, Modal } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { showViolations, useTell } from "@/components/forms";
import type { Staff } from "@/gen/rollcall/provider/v1/staff";
import { TOUCHES } from "./useAccountActs";

interface PasswordDialogProps {
  /** None: closed. */
  account: Staff | null;
  onClose: () => void;
}

/** Sets somebody's password anew. */
export function PasswordDialog({ account, onClose }: PasswordDialogProps) {
  const { t } = useTranslation("staff");
  const tell = useTell();
  const [form] = Form.useForm<{ password: string }>();
  const update = useAct("StaffService/UpdateStaff", TOUCHES);
  const name = account?.username ?? "";
  const close = () => {
    form.resetFields();
    update.reset();
    onClose();
  };
  const submit = ({ password }: { password: string }) =>
    update.mutate(
      { staff: account?.id ?? "", password },
      {
        onSuccess: () => {
          tell.done(t("reset.done", { name }));
          close();
        },
        onError: (error) => {
          if (!showViolations(form, error)) tell.failed(error);
        },
      },
    );
  return (
    <Modal
      open={account !== null}
      title={t("reset.title", { name })}
      okText={t("reset.do")}
      okButtonProps={{ htmlType: "submit", form: "set-password", loading: update.isPending }}
      onCancel={close}
      destroyOnHidden
    >
      <Form
        id="set-password"
        form={form}
        layout="vertical"
        requiredMark={false}
        initialValues={{ password: "" }}
        onFinish={submit}
      >
        <Form.Item
          name="password"
          label={t("form.password")}
          extra={t("form.passwordHint")}
          rules={[{ required: true, message: t("form.required.password") }]}
        >
          <Input.Password autoFocus autoComplete="new-password" />
        </Form.Item>
      </Form>
      <p className="m-0 text-text-3">{t("form.endsSessions")}</p>
    </Modal>
  );
}
