import { Button, Checkbox, Form, Input, Select } from "antd";
import { Plus, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { School } from "@/gen/rollcall/provider/v1/school";

/** The schools of a student, each with its dates; those that were ended stay in the list. */
export function Enrollments({ schools }: { schools: School[] }) {
  const { t } = useTranslation("students");
  const options = schools.map(({ sourcedId, name }) => ({ value: sourcedId, label: name }));
  return (
    <fieldset className="m-0 mb-4 min-w-0 border-0 p-0">
      <legend className="mb-1 border-0 p-0 text-body text-text-2">{t("field.schoolEnrollments")}</legend>
      <Form.List name="schoolEnrollments">
        {(fields, { add, remove }, { errors }) => (
          <div className="flex flex-col gap-2">
            {fields.map(({ key, name }) => (
              <div
                key={key}
                role="group"
                aria-label={t("enrollment.nth", { number: name + 1 })}
                className="rounded-control border border-solid border-hairline p-3"
              >
                <div className="grid grid-cols-[1fr_140px_32px] items-end gap-x-3">
                  <Form.Item
                    name={[name, "schoolSourcedId"]}
                    label={t("enrollment.school")}
                    rules={[{ required: true, message: t("required") }]}
                  >
                    <Select showSearch={{ optionFilterProp: "label" }} options={options} />
                  </Form.Item>
                  <Form.Item name={[name, "roleType"]} label={t("enrollment.role")}>
                    <Select
                      options={[
                        { value: "primary", label: t("enrollment.primary") },
                        { value: "secondary", label: t("enrollment.secondary") },
                      ]}
                    />
                  </Form.Item>
                  <Form.Item>
                    <Button
                      type="text"
                      aria-label={t("enrollment.remove", { number: name + 1 })}
                      icon={<Trash2 size={16} aria-hidden />}
                      onClick={() => remove(name)}
                    />
                  </Form.Item>
                </div>
                <div className="grid grid-cols-3 gap-x-3">
                  <Form.Item name={[name, "beginDate"]} label={t("enrollment.begin")}>
                    <Input type="date" />
                  </Form.Item>
                  <Form.Item name={[name, "endDate"]} label={t("enrollment.end")}>
                    <Input type="date" />
                  </Form.Item>
                  <Form.Item name={[name, "exitReason"]} label={t("enrollment.exitReason")}>
                    <Input autoComplete="off" />
                  </Form.Item>
                </div>
                <Form.Item name={[name, "ended"]} valuePropName="checked" noStyle>
                  <Checkbox>{t("enrollment.ended")}</Checkbox>
                </Form.Item>
              </div>
            ))}
            <Form.ErrorList errors={errors} />
            <Button
              className="self-start"
              icon={<Plus size={16} aria-hidden />}
              onClick={() => add({ schoolSourcedId: undefined, roleType: "primary", ended: false })}
            >
              {t("enrollment.add")}
            </Button>
          </div>
        )}
      </Form.List>
    </fieldset>
  );
}
