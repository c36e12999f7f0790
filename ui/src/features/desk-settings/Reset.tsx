import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Alert, Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { refresh } from "@/api/hooks";
import { TypedConfirm, useTell } from "@/components/forms";
import type { Status } from "@/gen/rollcall/school/v1/receiver";
import { useSchoolHost } from "@/shell/context";
import type { ReceiverState, ShellFailure } from "@/shell/host";

/** Forgets the enrollment. It cannot be undone, so the school's name is asked for. */
export function Reset({ status, receiver }: { status?: Status; receiver: ReceiverState }) {
  const { t } = useTranslation("deskSettings");
  const host = useSchoolHost();
  const client = useQueryClient();
  const navigate = useNavigate();
  const tell = useTell();
  const [asking, setAsking] = useState(false);
  const reset = useMutation<void, ShellFailure>({
    mutationFn: () => host.resetEnrollment(),
    onSuccess: async () => {
      tell.done(t("reset.done"));
      await refresh(client, ["ReceiverService", "SchoolLinkService"]);
      void navigate({ to: "/enroll" as "/" });
    },
    onSettled: () => setAsking(false),
  });
  const school = status?.schoolName || status?.schoolSourcedId || "";
  // A secret that cannot be read is one that may have to be given up.
  const held = status !== undefined && (status.enrolled || status.secretError !== "");
  const beside = receiver.state === "beside";
  return (
    <div className="flex flex-col items-start gap-2">
      <p className="m-0 text-text-2">{t("reset.text")}</p>
      <Button danger disabled={!held || beside} onClick={() => setAsking(true)}>
        {t("reset.button")}
      </Button>
      {beside && <p className="m-0 text-label text-text-3">{t("reset.beside")}</p>}
      {status && !held && <p className="m-0 text-label text-text-3">{t("reset.none")}</p>}
      {reset.error && <Alert type="error" showIcon role="alert" title={reset.error.message} />}
      <TypedConfirm
        open={asking}
        title={t("reset.confirmTitle", { school })}
        text={t("reset.confirmText")}
        name={school}
        verb={t("reset.verb")}
        busy={reset.isPending}
        onConfirm={() => reset.mutate()}
        onCancel={() => setAsking(false)}
      />
    </div>
  );
}
