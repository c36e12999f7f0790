import { useNavigate } from "@tanstack/react-router";
import { Button, Steps } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Page, Section } from "@/components/Page";
import { Failure, Loaded } from "@/components/states";
import type { ShellFailure } from "@/shell/host";
import { useMay } from "@/shell/session";
import { AddressStep } from "./AddressStep";
import { CodePanel } from "./CodePanel";
import { type Created, DetailsStep } from "./DetailsStep";
import { OwnReceiver } from "./OwnReceiver";
import { useSchool } from "./useSchool";

/** Details, address, then the secret: by a code for School Desk, or shown once for a school's own receiver. */
export default function RegisterSchool() {
  const { t } = useTranslation("schools");
  const may = useMay("ROLE_OPERATOR");
  const [created, setCreated] = useState<Created | null>(null);
  const [addressed, setAddressed] = useState(false);
  const step = !created ? 0 : addressed ? 2 : 1;
  const denied: ShellFailure = { code: "permission_denied", message: t("detail.needsOperator"), violations: [] };
  if (!may) {
    return (
      <Page title={t("registering.title")}>
        <Failure error={denied} />
      </Page>
    );
  }
  return (
    <Page title={t("registering.title")}>
      <div className="flex w-full max-w-[760px] flex-col gap-4">
        <Steps
          aria-label={t("registering.steps")}
          size="small"
          current={step}
          items={[
            { title: t("registering.details") },
            { title: t("registering.address") },
            { title: t("registering.handoff") },
          ]}
        />
        {created && (
          <p role="status" className="m-0 font-medium">
            {t("registering.created", { name: created.school.name })}
          </p>
        )}
        {step === 0 && (
          <Section title={t("registering.details")}>
            <DetailsStep onCreated={setCreated} />
          </Section>
        )}
        {created && step === 1 && (
          <Section title={t("registering.address")}>
            <AddressStep created={created} onDone={() => setAddressed(true)} />
          </Section>
        )}
        {created && step === 2 && <Handoff created={created} />}
      </div>
    </Page>
  );
}

function Handoff({ created }: { created: Created }) {
  const { t } = useTranslation("schools");
  const navigate = useNavigate();
  const school = useSchool(created.school.id);
  return (
    <Loaded query={school}>
      {(data) => (
        <>
          {created.ownReceiver ? <OwnReceiver school={data} /> : <CodePanel school={data} />}
          <Button
            className="self-start"
            onClick={() => void navigate({ to: "/schools/$school", params: { school: data.id }, search: {} })}
          >
            {t("registering.finish")}
          </Button>
        </>
      )}
    </Loaded>
  );
}
