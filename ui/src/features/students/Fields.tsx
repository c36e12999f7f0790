import { Form, Input, Select, Switch } from "antd";
import { useTranslation } from "react-i18next";
import type { District, School } from "@/gen/rollcall/provider/v1/school";
import type { Student } from "@/gen/rollcall/provider/v1/student";
import { Enrollments } from "./Enrollments";
import { activeAt, GRADES } from "./student";

const NAMES = [
  ["givenName", "middleName", "familyName"],
  ["preferredGivenName", "preferredMiddleName", "preferredFamilyName"],
] as const;

/** The fields of a student record, with OneRoster's meaning and plain labels. */
export function Fields({
  district,
  schools,
  student,
  isNew,
}: {
  district: District;
  schools: School[];
  student: Student;
  isNew: boolean;
}) {
  const { t } = useTranslation("students");
  const nameOf = (sourcedId: string) => schools.find((one) => one.sourcedId === sourcedId)?.name ?? sourcedId;
  const active = [...new Set(activeAt(student).map(({ schoolSourcedId }) => schoolSourcedId))].filter(Boolean);
  return (
    <>
      <Form.Item
        name="sourcedId"
        hidden={!isNew}
        label={t("field.sourcedId")}
        extra={t("hint.sourcedId")}
        rules={[{ required: true, message: t("required") }]}
      >
        <Input autoFocus={isNew} className="font-mono" />
      </Form.Item>
      {NAMES.map((row) => (
        <div key={row[0]} className="grid grid-cols-3 gap-x-3">
          {row.map((name) => (
            <Form.Item
              key={name}
              name={name}
              label={t(`field.${name}`)}
              rules={name === "givenName" || name === "familyName" ? [{ required: true, message: t("required") }] : []}
            >
              <Input autoComplete="off" maxLength={255} />
            </Form.Item>
          ))}
        </div>
      ))}
      <div className="grid grid-cols-2 gap-x-3">
        <Form.Item name="identifier" label={t("field.identifier")}>
          <Input autoComplete="off" />
        </Form.Item>
        <Form.Item name="grades" label={t("field.grades")}>
          <Select mode="multiple" options={GRADES.map((grade) => ({ value: grade, label: grade }))} />
        </Form.Item>
        <Form.Item name="username" label={t("field.username")}>
          <Input autoComplete="off" />
        </Form.Item>
        <Form.Item name="email" label={t("field.email")}>
          <Input autoComplete="off" type="email" />
        </Form.Item>
        <Form.Item
          name="birthDate"
          label={t("field.birthDate")}
          extra={district.birthDate ? undefined : t("hint.birthDateOff")}
        >
          <Input type="date" disabled={!district.birthDate && !student.birthDate ? true : undefined} />
        </Form.Item>
        <Form.Item
          name="enabledUser"
          label={t("field.enabledUser")}
          valuePropName="checked"
          getValueProps={(value: boolean | undefined) => ({ checked: value ?? true })}
        >
          <Switch />
        </Form.Item>
      </div>
      <Enrollments schools={schools} />
      <Form.Item name="primaryOrgSourcedId" label={t("field.primaryOrgSourcedId")} extra={t("hint.primary")}>
        <Select allowClear options={active.map((sourcedId) => ({ value: sourcedId, label: nameOf(sourcedId) }))} />
      </Form.Item>
    </>
  );
}
