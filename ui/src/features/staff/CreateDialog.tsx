import { Form, Input, Modal } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { showViolations, useTell } from "@/components/forms";
import type { District } from "@/gen/rollcall/provider/v1/school";
import type { Staff } from "@/gen/rollcall/provider/v1/staff";
import { RoleFields } from "./RoleFields";
import { TOUCHES } from "./useAccountActs";

interface Typed {
  username: string;
  password: string;
  role: Staff["role"];
  districts?: string[];
}

interface CreateDialogProps {
  open: boolean;
  districts: District[];
  onClose: () => void;
}

export function CreateDialog({ open, districts, onClose }: CreateDialogProps) {
  const { t } = useTranslation("staff");
  const tell = useTell();
  const [form] = Form.useForm<Typed>();
  const create = useAct("StaffService/CreateStaff", TOUCHES);
  const close = () => {
    // The password goes with the form, and with what the act remembers.
    form.resetFields();
    create.reset();
    onClose();
  };
  const submit = ({ username, password, role, districts: chosen = [] }: Typed) =>
    create.mutate(
      { username: username.trim(), password, role, districts: role === "ROLE_OWNER" ? [] : chosen },
      {
        onSuccess: (created) => {
          tell.done(t("created", { name: created.username }));
          close();
        },
        onError: (error) => {
          if (!showViolations(form, error)) tell.failed(error);
        },
      },
    );
  const only = districts.length === 1 && districts[0] ? [districts[0].id] : [];
  return (
    <Modal
      open={open}
      title={t("form.createTitle")}
      okText={t("create")}
      okButtonProps={{ htmlType: "submit", form: "create-account", loading: create.isPending }}
      onCancel={close}
      destroyOnHidden
    >
      <Form
        id="create-account"
        form={form}
        layout="vertical"
        requiredMark={false}
        initialValues={{ username: "", password: "", role: "ROLE_OPERATOR", districts: only }}
        onFinish={submit}
      >
        <Form.Item
          name="username"
          label={t("form.username")}
          extra={t("form.usernameHint")}
          rules={[{ required: true, whitespace: true, message: t("form.required.username") }]}
        >
          <Input autoFocus autoComplete="off" autoCapitalize="none" spellCheck={false} />
        </Form.Item>
        <Form.Item
          name="password"
          label={t("form.password")}
          extra={t("form.passwordHint")}
          rules={[{ required: true, message: t("form.required.password") }]}
        >
          <Input.Password autoComplete="new-password" />
        </Form.Item>
        <RoleFields districts={districts} />
      </Form>
    </Modal>
  );
}
