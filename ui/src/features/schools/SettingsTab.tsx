import { useNavigate } from "@tanstack/react-router";
import { Alert, Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { TypedConfirm, useTell } from "@/components/forms";
import { Section } from "@/components/Page";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { useMay } from "@/shell/session";
import { AddressForm } from "./AddressForm";
import { NameForm } from "./NameForm";
import { PolicyForm } from "./PolicyForm";

/** What staff may set about a school. Who may only look sees the same, locked. */
export function SettingsTab({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const may = useMay("ROLE_OPERATOR");
  return (
    <div className="flex max-w-[760px] flex-col gap-4">
      {!may && <Alert type="info" showIcon title={t("detail.needsOperator")} />}
      <Section title={t("settings.address")}>
        <AddressForm school={school} locked={!may} />
      </Section>
      <Section title={t("settings.policy")}>
        <PolicyForm school={school} locked={!may} />
      </Section>
      <Section title={t("settings.rename")}>
        <NameForm school={school} locked={!may} />
      </Section>
      {may && (
        <Section title={t("settings.delete")}>
          <Delete school={school} />
        </Section>
      )}
    </div>
  );
}

function Delete({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const navigate = useNavigate();
  const tell = useTell();
  const [asked, setAsked] = useState(false);
  const erase = useAct("SchoolService/DeleteSchool", ["SchoolService/ListSchools", "LogService/GetOverview"]);
  const { id, name } = school;
  const confirm = () =>
    erase.mutate(
      { school: id, confirmName: name },
      {
        onSuccess: ({ discarded }) => {
          tell.done(t("settings.deleted", { name, count: Number(discarded) }));
          void navigate({ to: "/schools" });
        },
        onError: tell.failed,
      },
    );
  return (
    <div className="flex flex-col items-start gap-3">
      <p className="m-0 text-text-2">{t("settings.deleteText")}</p>
      <Button danger onClick={() => setAsked(true)}>
        {t("settings.delete")}
      </Button>
      <TypedConfirm
        open={asked}
        title={t("settings.deleteTitle", { name })}
        text={t("settings.deleteText")}
        name={name}
        verb={t("settings.delete")}
        busy={erase.isPending}
        onConfirm={confirm}
        onCancel={() => setAsked(false)}
      />
    </div>
  );
}
