import { Form, Modal } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { showViolations, useTell, useUndoToast } from "@/components/forms";
import type { District } from "@/gen/rollcall/provider/v1/school";
import type { Staff } from "@/gen/rollcall/provider/v1/staff";
import { RoleFields } from "./RoleFields";
import { TOUCHES } from "./useAccountActs";

interface Typed {
  role: Staff["role"];
  districts?: string[];
}

interface RoleDialogProps {
  /** None: closed. */
  account: Staff | null;
  districts: District[];
  onClose: () => void;
}

/** Another role, or other districts, for an account. */
export function RoleDialog({ account, districts, onClose }: RoleDialogProps) {
  const { t } = useTranslation("staff");
  const { t: common } = useTranslation();
  const undoToast = useUndoToast();
  const tell = useTell();
  const [form] = Form.useForm<Typed>();
  const update = useAct("StaffService/UpdateStaff", TOUCHES);
  if (!account) return null;
  const { id, username: name } = account;
  const submit = ({ role, districts: chosen = [] }: Typed) =>
    update.mutate(
      { staff: id, role, districts: role === "ROLE_OWNER" ? [] : chosen },
      {
        onSuccess: () => {
          onClose();
          const undo = { staff: id, role: account.role, districts: account.districtIds };
          undoToast(t("changed", { name, role: common(`role.${role}`) }), () =>
            update.mutate(undo, { onError: tell.failed }),
          );
        },
        onError: (error) => {
          if (!showViolations(form, error)) tell.failed(error);
        },
      },
    );
  return (
    <Modal
      open
      title={t("form.changeTitle", { name })}
      okText={t("form.save")}
      okButtonProps={{ htmlType: "submit", form: "change-account", loading: update.isPending }}
      onCancel={onClose}
    >
      <Form
        id="change-account"
        form={form}
        layout="vertical"
        requiredMark={false}
        initialValues={{ role: account.role, districts: account.districtIds }}
        onFinish={submit}
      >
        <RoleFields districts={districts} />
      </Form>
      <p className="m-0 text-text-3">{t("form.endsSessions")}</p>
    </Modal>
  );
}
