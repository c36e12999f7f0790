import { useTranslation } from "react-i18next";
import { useReceiver, useReceiverStatus } from "@/api/desk";
import { Page, Section } from "@/components/Page";
import { Autostart } from "./Autostart";
import { Diagnostics } from "./Diagnostics";
import { Looks } from "./Looks";
import { Reset } from "./Reset";
import { Versions } from "./Versions";

/** This program's settings on this machine. */
export default function Settings() {
  const { t } = useTranslation("deskSettings");
  const status = useReceiverStatus();
  const receiver = useReceiver();
  return (
    <Page title={t("title")}>
      <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-2">
        <Section title={t("looks.title")}>
          <Looks />
        </Section>
        <Section title={t("start.title")}>
          <Autostart />
          <p className="mt-3 mb-0 text-text-2">{t("start.tray")}</p>
        </Section>
        <Section title={t("notify.title")}>
          <p className="m-0">{t("notify.text")}</p>
          <ul className="my-2 list-disc pl-5">
            <li>{t("notify.alarm")}</li>
            <li>{t("notify.code")}</li>
            <li>{t("notify.connection")}</li>
            <li>{t("notify.secret")}</li>
          </ul>
          <p className="m-0 text-text-2">{t("notify.system")}</p>
        </Section>
        <Section title={t("versions.title")}>
          <Versions status={status.data} receiver={receiver} />
        </Section>
        <Section title={t("support.title")}>
          <Diagnostics />
        </Section>
        <Section title={t("reset.title")}>
          <Reset status={status.data} receiver={receiver} />
        </Section>
      </div>
    </Page>
  );
}
