import { Alert, Button, Modal } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { formatCount } from "@/components/format";
import { Failure, ListSkeleton } from "@/components/states";
import { formatTime } from "@/components/time";
import { usePreferences } from "@/theme/preferences";

/** Recomputes the hash chains and says whether they are whole. */
export function Verify() {
  const { t } = useTranslation("audit");
  const { zone } = usePreferences();
  const [open, setOpen] = useState(false);
  const verify = useAct("AuditService/VerifyAudit");
  const run = () => {
    setOpen(true);
    verify.mutate({});
  };
  const verdict = verify.data;
  const time = formatTime(new Date(verify.submittedAt), zone);
  return (
    <>
      <Button type="primary" loading={verify.isPending} onClick={run}>
        {t("verify")}
      </Button>
      <Modal open={open} title={t("verify")} footer={null} onCancel={() => setOpen(false)}>
        <div role="status" className="flex flex-col gap-3">
          {verify.isPending && (
            <>
              <span>{t("verifying")}</span>
              <ListSkeleton rows={2} />
            </>
          )}
          {verify.error && <Failure error={verify.error} onRetry={run} />}
          {verdict?.intact && (
            <Alert type="success" showIcon title={t("intact", { total: formatCount(verdict.entries) })} />
          )}
          {verdict && !verdict.intact && (
            <Alert type="error" showIcon title={`${t("broken")}: ${verdict.break}`} description={t("brokenHint")} />
          )}
          {verdict && <span className="text-label text-text-3">{t("verifiedAt", { time })}</span>}
        </div>
      </Modal>
    </>
  );
}
