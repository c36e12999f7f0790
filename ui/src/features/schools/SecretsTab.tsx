import { Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { TypedConfirm, useTell } from "@/components/forms";
import { Section } from "@/components/Page";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { useProviderHost } from "@/shell/context";
import { useMay } from "@/shell/session";
import { CodePanel } from "./CodePanel";
import { OwnReceiver } from "./OwnReceiver";
import { RotateDialog } from "./RotateDialog";
import { SecretList } from "./SecretList";

/** The school's secrets by their fingerprints, their rotation, and the code that hands the first one over. */
export function SecretsTab({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const secrets = school.connection?.secrets ?? [];
  const own = school.connection?.ownReceiver ?? false;
  return (
    <div className="flex flex-col gap-4">
      <Section title={t("secrets.title")} actions={secrets.length > 0 && <SecretActs school={school} />}>
        <SecretList secrets={secrets} />
      </Section>
      {own ? <OwnReceiver school={school} /> : <CodePanel school={school} />}
    </div>
  );
}

/** A rotation that answers a secret runs in the window for it; the other ones here. */
function SecretActs({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const host = useProviderHost();
  const tell = useTell();
  const may = useMay("ROLE_OPERATOR");
  const [asked, setAsked] = useState<"rotate" | "revoke" | null>(null);
  const rotate = useAct("SchoolService/RotateSecret", ["SchoolService", "LogService/GetOverview"]);
  const own = school.connection?.ownReceiver ?? false;
  const { id, name } = school;
  if (!may) return null;
  const inWindow = () => void host.openSecretWindow(id, true).catch(tell.failed);
  const send = (how: { overlapS: number } | { revokeNow: true }, done: string) =>
    rotate.mutate(
      { school: id, ...how },
      {
        onSuccess: () => {
          setAsked(null);
          tell.done(done);
        },
        onError: tell.failed,
      },
    );
  return (
    <>
      <Button size="small" onClick={own ? inWindow : () => setAsked("rotate")}>
        {t("secrets.rotate")}
      </Button>
      <Button size="small" danger onClick={own ? inWindow : () => setAsked("revoke")}>
        {t("secrets.revoke")}
      </Button>
      <RotateDialog
        name={name}
        open={asked === "rotate"}
        busy={rotate.isPending}
        onRotate={(overlapS) => send({ overlapS }, t("rotate.done", { name }))}
        onCancel={() => setAsked(null)}
      />
      <TypedConfirm
        open={asked === "revoke"}
        title={t("revoke.title", { name })}
        text={t("revoke.text")}
        name={name}
        verb={t("secrets.revoke")}
        busy={rotate.isPending}
        onConfirm={() => send({ revokeNow: true }, t("revoke.done", { name }))}
        onCancel={() => setAsked(null)}
      />
    </>
  );
}
