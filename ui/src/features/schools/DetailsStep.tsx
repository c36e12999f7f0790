import { Link } from "@tanstack/react-router";
import { Button, Form, Input, Radio } from "antd";
import { useTranslation } from "react-i18next";
import { useAct, useCall } from "@/api/hooks";
import { showViolations, useTell } from "@/components/forms";
import { NamedSelect } from "@/components/NamedSelect";
import { Loaded } from "@/components/states";
import type { District, School } from "@/gen/rollcall/provider/v1/school";
import { DistrictForm } from "./DistrictForm";

/** A school that was just made, and how it is going to receive. */
export interface Created {
  school: School;
  ownReceiver: boolean;
}

interface Typed {
  district: string;
  name: string;
  sourcedId: string;
  receiver: "app" | "own";
}

export function DetailsStep({ onCreated }: { onCreated: (created: Created) => void }) {
  const districts = useCall("DistrictService/ListDistricts", {});
  return (
    <Loaded query={districts} isEmpty={(data) => data.districts.length === 0} empty={<DistrictForm />}>
      {(data) => <DetailsForm districts={data.districts} onCreated={onCreated} />}
    </Loaded>
  );
}

function DetailsForm({ districts, onCreated }: { districts: District[]; onCreated: (created: Created) => void }) {
  const { t } = useTranslation("schools");
  const tell = useTell();
  const [form] = Form.useForm<Typed>();
  const create = useAct("SchoolService/CreateSchool", ["SchoolService/ListSchools", "LogService/GetOverview"]);
  const only = districts.length === 1 ? districts[0]?.id : undefined;
  const submit = ({ district, name, sourcedId, receiver }: Typed) =>
    create.mutate(
      { district, name, sourcedId: sourcedId.trim() },
      {
        onSuccess: (school) => onCreated({ school, ownReceiver: receiver === "own" }),
        onError: (error) => {
          if (!showViolations(form, error)) tell.failed(error);
        },
      },
    );
  const existing = create.error?.code === "already_exists" ? create.variables?.sourcedId : undefined;
  return (
    <Form<Typed>
      form={form}
      layout="vertical"
      requiredMark={false}
      initialValues={{ district: only, name: "", sourcedId: "", receiver: "app" }}
      onFinish={submit}
    >
      <Form.Item
        name="district"
        label={t("registering.district")}
        rules={[{ required: true, message: t("registering.required.district") }]}
      >
        <NamedSelect
          label={t("registering.district")}
          options={districts.map(({ id, name }) => ({ value: id, label: name }))}
        />
      </Form.Item>
      <Form.Item
        name="name"
        label={t("registering.name")}
        rules={[{ required: true, whitespace: true, message: t("registering.required.name") }]}
      >
        <Input autoFocus maxLength={255} />
      </Form.Item>
      <Form.Item
        name="sourcedId"
        label={t("registering.sourcedId")}
        extra={t("registering.sourcedIdHint")}
        rules={[{ required: true, whitespace: true, message: t("registering.required.sourcedId") }]}
      >
        <Input className="font-mono" spellCheck={false} autoComplete="off" />
      </Form.Item>
      <Form.Item name="receiver" label={t("registering.receiver")}>
        <Radio.Group
          vertical
          options={[
            { value: "app", label: <Choice name={t("registering.app")} hint={t("registering.appHint")} /> },
            { value: "own", label: <Choice name={t("registering.own")} hint={t("registering.ownHint")} /> },
          ]}
        />
      </Form.Item>
      <div className="flex items-center gap-4">
        <Button type="primary" htmlType="submit" loading={create.isPending}>
          {t("registering.create")}
        </Button>
        {existing && (
          <Link to="/schools/$school" params={{ school: existing }} search={{}} className="text-accent-text">
            {t("registering.existing")}
          </Link>
        )}
      </div>
    </Form>
  );
}

function Choice({ name, hint }: { name: string; hint: string }) {
  return (
    <span className="flex flex-col">
      <span>{name}</span>
      <span className="text-label text-text-3">{hint}</span>
    </span>
  );
}
