import { Button, Form, Input, Segmented, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { showViolations, useTell } from "@/components/forms";
import type { School } from "@/gen/rollcall/provider/v1/school";
import type { Student } from "@/gen/rollcall/provider/v1/student";
import type { ShellFailure } from "@/shell/host";
import { useMay } from "@/shell/session";
import { Plan } from "./Plan";
import { activeAt, changes, isDeleted } from "./student";
import { useDryRun } from "./useDryRun";
import { useEnrollmentText } from "./useFieldText";

type Kind = "enroll" | "withdraw" | "transfer";

interface Values {
  school?: string;
  roleType?: string;
  beginDate?: string;
  endDate?: string;
  exitReason?: string;
  fromSchool?: string;
  toSchool?: string;
  effectiveDate?: string;
}

/** Where a student is, and the three acts that change it; each says first whom it tells. */
export function Moves({ district, student, schools }: { district: string; student: Student; schools: School[] }) {
  const { t } = useTranslation("students");
  const tell = useTell();
  const enrollment = useEnrollmentText(schools);
  const mayEdit = useMay("ROLE_OPERATOR") && !isDeleted(student);
  const here = activeAt(student);
  const [kind, setKind] = useState<Kind>(here.length > 0 ? "transfer" : "enroll");
  const [form] = Form.useForm<Values>();
  const on = {
    refused: (error: ShellFailure) => {
      if (!showViolations(form, error)) tell.failed(error);
    },
    done: ({ events }: { events: number }) => {
      form.resetFields();
      tell.done(t(`moved.${kind}`, { count: events }));
    },
  };
  const enroll = useDryRun("StudentService/EnrollStudent", on);
  const withdraw = useDryRun("StudentService/WithdrawStudent", on);
  const transfer = useDryRun("StudentService/TransferStudent", on);
  const move = { enroll, withdraw, transfer }[kind];
  const plan = ({ school, roleType, beginDate, endDate, exitReason, fromSchool, toSchool, effectiveDate }: Values) => {
    const of = { district, sourcedId: student.sourcedId };
    if (kind === "enroll") enroll.plan({ ...of, school, roleType, beginDate: beginDate || undefined });
    else if (kind === "withdraw")
      withdraw.plan({ ...of, school, endDate: endDate || undefined, exitReason: exitReason || undefined });
    else {
      const date = effectiveDate || undefined;
      transfer.plan({ ...of, fromSchool, toSchool, effectiveDate: date, exitReason: exitReason || undefined });
    }
  };
  const options = (only: School[]) => only.map(({ sourcedId, name }) => ({ value: sourcedId, label: name }));
  const isHere = ({ sourcedId }: School) => here.some((one) => one.schoolSourcedId === sourcedId);
  const current = options(schools.filter(isHere));
  const others = options(schools.filter((school) => !isHere(school)));
  const school = (name: keyof Values, label: string, list: typeof current) => (
    <Form.Item name={name} label={label} rules={[{ required: true, message: t("required") }]}>
      <Select showSearch={{ optionFilterProp: "label" }} options={list} />
    </Form.Item>
  );
  const text = (name: keyof Values, label: string, type?: string) => (
    <Form.Item name={name} label={label}>
      <Input type={type} autoComplete="off" />
    </Form.Item>
  );
  return (
    <div className="flex flex-col gap-4">
      <ul aria-label={t("field.schoolEnrollments")} className="m-0 flex list-none flex-col gap-1 p-0">
        {student.schoolEnrollments.map((one, index) => (
          <li key={`${one.schoolSourcedId}-${index}`} className={one.ended ? "text-text-3" : ""}>
            {enrollment(one)}
          </li>
        ))}
      </ul>
      {!mayEdit ? (
        <p className="m-0 text-text-3">{isDeleted(student) ? t("deletedHint") : t("readOnly")}</p>
      ) : (
        <>
          <Segmented<Kind>
            aria-label={t("move.label")}
            className="self-start"
            value={kind}
            options={(["enroll", "withdraw", "transfer"] as const).map((value) => ({
              value,
              label: t(`move.${value}`),
              disabled: value !== "enroll" && here.length === 0,
            }))}
            onChange={(to) => {
              move.back();
              form.resetFields();
              setKind(to);
            }}
          />
          <Form<Values>
            form={form}
            layout="vertical"
            disabled={move.acting}
            initialValues={{ roleType: "primary", fromSchool: current.length === 1 ? current[0]?.value : undefined }}
            onValuesChange={move.back}
            onFinish={plan}
          >
            <div className="grid grid-cols-2 gap-x-3">
              {kind === "enroll" && (
                <>
                  {school("school", t("enrollment.school"), others)}
                  <Form.Item name="roleType" label={t("enrollment.role")}>
                    <Select
                      options={(["primary", "secondary"] as const).map((value) => ({
                        value,
                        label: t(`enrollment.${value}`),
                      }))}
                    />
                  </Form.Item>
                  {text("beginDate", t("enrollment.begin"), "date")}
                </>
              )}
              {kind === "withdraw" && (
                <>
                  {school("school", t("enrollment.school"), current)}
                  {text("endDate", t("enrollment.end"), "date")}
                  {text("exitReason", t("enrollment.exitReason"))}
                </>
              )}
              {kind === "transfer" && (
                <>
                  {school("fromSchool", t("move.from"), current)}
                  {school("toSchool", t("move.to"), others)}
                  {text("effectiveDate", t("move.effective"), "date")}
                  {text("exitReason", t("enrollment.exitReason"))}
                </>
              )}
            </div>
            {move.planned ? (
              <Plan
                result={move.planned}
                changed={changes(student, move.planned)}
                verb={t(`move.${kind}`)}
                busy={move.acting}
                onAct={move.act}
                onBack={move.back}
              />
            ) : (
              <Button type="primary" htmlType="submit" loading={move.planning}>
                {t("act.review")}
              </Button>
            )}
          </Form>
        </>
      )}
    </div>
  );
}
