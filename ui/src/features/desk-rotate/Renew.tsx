import { Alert, Button, Radio } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSecretPlace } from "@/components/desk";
import { TypedConfirm } from "@/components/forms";
import type { ShellFailure } from "@/shell/host";
import type { useRotation, Why } from "./useRotation";

const WHYS: readonly Why[] = ["routine", "pending", "leaked"];

/** Why, then the one button that fits. What cannot be taken back asks for the school's name. */
export function Renew({
  school,
  store,
  waits,
  rotation,
}: {
  school: string;
  store: string;
  /** A secret waits at the provider. */
  waits: boolean;
  rotation: ReturnType<typeof useRotation>;
}) {
  const { t } = useTranslation("deskRotate");
  const [why, setWhy] = useState<Why>("routine");
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    if (waits) setWhy("pending");
  }, [waits]);
  const { error, isPending, mutate } = rotation;
  return (
    <div className="flex flex-col items-start gap-4">
      {waits && <Alert type="info" showIcon className="self-stretch" title={t("why.waits")} />}
      <Radio.Group
        aria-label={t("why.label")}
        value={why}
        disabled={isPending}
        onChange={(event) => setWhy(event.target.value as Why)}
        className="flex! flex-col gap-3"
      >
        {WHYS.map((reason) => (
          <Radio key={reason} value={reason} className="items-start! [&_.ant-radio]:mt-[3px] [&_.ant-radio]:self-start">
            <span className="font-medium">{t(`why.${reason}`)}</span>
            <span className="block max-w-2xl text-text-2">{t(`why.${reason}Text`)}</span>
          </Radio>
        ))}
      </Radio.Group>
      <Button
        type="primary"
        danger={why === "leaked"}
        loading={isPending}
        onClick={() => (why === "leaked" ? setAsking(true) : mutate(why))}
      >
        {t(`act.${why}`)}
      </Button>
      {error && <Failed error={error} store={store} />}
      {rotation.data === null && <Alert type="info" showIcon role="status" title={t("none")} />}
      <TypedConfirm
        open={asking}
        title={t("confirm.title")}
        text={t("confirm.text")}
        name={school}
        verb={t("confirm.verb")}
        onConfirm={() => {
          setAsking(false);
          mutate("leaked");
        }}
        onCancel={() => setAsking(false)}
      />
    </div>
  );
}

function Failed({ error, store }: { error: ShellFailure; store: string }) {
  const { t } = useTranslation("deskRotate");
  const place = useSecretPlace(store);
  const text = error.code.startsWith("keychain_") ? t("failed.keychain", { place }) : t("failed.plain");
  return <Alert type="error" showIcon role="alert" className="self-stretch" title={error.message} description={text} />;
}
