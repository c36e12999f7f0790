import { useParams } from "@tanstack/react-router";
import { Alert, Button } from "antd";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { CopyDetails } from "@/components/states";
import { useProviderHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { Ask } from "./Ask";
import { Shown } from "./Shown";
import { useOnce } from "./useOnce";

/** Whether the call may have been carried out all the same. */
const UNKNOWN = new Set<ShellFailure["code"]>(["unavailable", "deadline_exceeded", "cancelled", "internal"]);

/** The one window that ever shows a signing secret: one call, by a press, shown until it is closed. */
export default function SecretOnce() {
  const { t } = useTranslation("secretOnce");
  const host = useProviderHost();
  const { school: id, act } = useParams({ from: "/secret-once/$school/$act" });
  const rotates = act === "rotate";
  const school = useCall("SchoolService/GetSchool", { school: id }, { staleTime: Number.POSITIVE_INFINITY });
  const once = useOnce(id, rotates);
  const name = school.data?.name ?? t("school");
  const title = rotates ? t("rotateTitle", { name }) : t("showTitle", { name });
  useEffect(() => {
    document.title = title;
  }, [title]);

  const close = () => {
    once.wipe();
    void host.closeWindow();
  };
  return (
    <main className="flex min-h-full flex-col gap-4 bg-surface p-6">
      <h1 className="m-0 text-page font-semibold">{title}</h1>
      {once.state.step === "shown" ? (
        <Shown answer={once.state.answer} />
      ) : once.state.step === "failed" ? (
        <Refusal error={once.state.error} />
      ) : once.state.step === "unseen" ? (
        <Alert type="warning" showIcon role="alert" title={t("unseen")} description={t("unseenText")} />
      ) : act === "show" || rotates ? (
        <Ask
          rotates={rotates}
          name={school.data?.name ?? ""}
          busy={once.state.step === "asking"}
          onAsk={once.ask}
          onClose={close}
        />
      ) : (
        <Alert type="error" showIcon role="alert" title={t("badPlace")} />
      )}
      {once.state.step !== "waiting" && once.state.step !== "asking" && (
        <div className="mt-auto flex justify-end">
          <Button type="primary" onClick={close}>
            {once.state.step === "shown" ? t("done") : t("close")}
          </Button>
        </div>
      )}
    </main>
  );
}

/** It was refused, or nobody knows; it is not tried again from here. */
function Refusal({ error }: { error: ShellFailure }) {
  const { t } = useTranslation("secretOnce");
  const unknown = UNKNOWN.has(error.code);
  return (
    <Alert
      type="error"
      showIcon
      role="alert"
      title={unknown ? t("lost") : t("refused")}
      description={
        <div className="flex flex-col items-start gap-3">
          <span>{error.message}</span>
          {unknown && <span>{t("lostText")}</span>}
          <CopyDetails error={error} />
        </div>
      }
    />
  );
}
