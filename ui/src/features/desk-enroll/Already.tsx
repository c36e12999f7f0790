import { useNavigate } from "@tanstack/react-router";
import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { Fingerprint } from "@/components/desk";
import { StatusPill } from "@/components/StatusPill";
import type { Status } from "@/gen/rollcall/school/v1/receiver";

/** An enrolled desk says so before it takes another code. */
export function Already({ status, onAgain }: { status: Status; onAgain: () => void }) {
  const { t } = useTranslation("deskEnroll");
  const navigate = useNavigate();
  return (
    <div className="flex flex-col items-start gap-3">
      <h2 className="m-0 flex items-center gap-2 text-section font-semibold">
        {t("already.title")}
        <StatusPill tone="delivered" word={status.schoolName} />
      </h2>
      <p className="m-0 text-text-2">{t("already.text", { school: status.schoolName })}</p>
      {status.fingerprints[0] && <Fingerprint words={status.fingerprints[0]} />}
      <div className="flex flex-wrap gap-2">
        <Button type="primary" onClick={() => void navigate({ to: "/" })}>
          {t("already.status")}
        </Button>
        <Button onClick={onAgain}>{t("already.again")}</Button>
      </div>
    </div>
  );
}
