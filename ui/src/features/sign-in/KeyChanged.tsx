import { Alert, Button, Checkbox } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Facts } from "@/components/Page";
import type { ShellFailure } from "@/shell/host";
import { Fingerprint } from "./CheckResult";

interface KeyChangedProps {
  keys: NonNullable<ShellFailure["keys"]>;
  trusted: boolean;
  onTrust: (pin: string) => void;
}

/** The server shows another key than before: a hard stop, which only somebody who asked may end. */
export function KeyChanged({ keys, trusted, onTrust }: KeyChangedProps) {
  const { t } = useTranslation("signIn");
  const [asked, setAsked] = useState(false);
  return (
    <>
      <Alert type="error" showIcon role="alert" title={t("changed.title")} description={t("changed.text")} />
      <Facts
        facts={[
          [t("changed.old"), <Fingerprint key="old" pin={keys.expected} />],
          [t("changed.new"), <Fingerprint key="new" pin={keys.shown} />],
        ]}
      />
      {!trusted && (
        <>
          <Checkbox checked={asked} onChange={(event) => setAsked(event.target.checked)}>
            {t("changed.confirm")}
          </Checkbox>
          <Button danger className="self-start" disabled={!asked} onClick={() => onTrust(keys.shown)}>
            {t("changed.trust")}
          </Button>
        </>
      )}
    </>
  );
}
