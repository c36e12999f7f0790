import { Form, Radio } from "antd";
import { useTranslation } from "react-i18next";
import { NamedSelect } from "@/components/NamedSelect";
import type { District } from "@/gen/rollcall/provider/v1/school";

const ROLES = ["ROLE_VIEWER", "ROLE_AUDITOR", "ROLE_OPERATOR", "ROLE_OWNER"] as const;

/** A role, and the districts that it counts in; an owner has all of them. */
export function RoleFields({ districts }: { districts: District[] }) {
  const { t } = useTranslation("staff");
  const form = Form.useFormInstance();
  const role = Form.useWatch("role", form);
  return (
    <>
      <Form.Item name="role" label={t("form.role")}>
        <Radio.Group vertical options={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))} />
      </Form.Item>
      {role !== "ROLE_OWNER" && (
        <Form.Item
          name="districts"
          label={t("form.districts")}
          extra={t("form.districtsHint")}
          rules={[{ required: true, message: t("form.required.districts") }]}
        >
          <NamedSelect
            label={t("form.districts")}
            mode="multiple"
            options={districts.map(({ id, name }) => ({ value: id, label: name }))}
          />
        </Form.Item>
      )}
    </>
  );
}
