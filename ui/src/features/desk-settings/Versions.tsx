import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Exact } from "@/components/Copy";
import { useSecretPlace } from "@/components/desk";
import { Facts } from "@/components/Page";
import type { Status } from "@/gen/rollcall/school/v1/receiver";
import type { ReceiverState } from "@/shell/host";

/** What runs here, and where. */
export function Versions({ status, receiver }: { status?: Status; receiver: ReceiverState }) {
  const { t } = useTranslation("deskSettings");
  const place = useSecretPlace(status?.secretStore ?? "");
  if (!status) return <p className="m-0 text-text-2">{t("versions.unknown")}</p>;
  const { version } = status;
  const facts: [string, ReactNode][] = [
    [
      t("versions.receiver"),
      receiver.state === "beside" ? t("versions.beside", { version }) : t("versions.inside", { version }),
    ],
    [t("versions.webhook"), <Exact key="webhook" text={status.webhookAddress} />],
  ];
  if ("dataDir" in receiver) facts.push([t("versions.dataDir"), <Exact key="dir" text={receiver.dataDir} />]);
  if (status.enrolled) {
    facts.push([t("versions.school"), `${status.schoolName} (${status.schoolSourcedId})`]);
    facts.push([t("versions.provider"), <Exact key="provider" text={status.providerAddress} />]);
  }
  facts.push([t("versions.store"), place]);
  return <Facts facts={facts} />;
}
