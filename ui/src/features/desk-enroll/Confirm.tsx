import { Alert, Button } from "antd";
import { useTranslation } from "react-i18next";
import { useSecretPlace } from "@/components/desk";
import { Facts } from "@/components/Page";
import { formatRelative, Time } from "@/components/time";
import type { CodeDetails } from "@/shell/host";

/** What the code is for; only a person's press redeems it. */
export function Confirm({
  details,
  busy,
  onEnroll,
  onBack,
}: {
  details: CodeDetails;
  busy: boolean;
  onEnroll: () => void;
  onBack: () => void;
}) {
  const { t } = useTranslation("deskEnroll");
  const place = useSecretPlace(details.secretStore);
  const expires = details.expiresAt ? (
    <>
      <Time at={details.expiresAt} />{" "}
      <span className="text-text-3">({formatRelative(details.expiresAt, Date.now())})</span>
    </>
  ) : (
    t("confirm.noExpiry")
  );
  return (
    <div className="flex flex-col gap-4">
      <div>
        <h2 className="m-0 text-section font-semibold">{t("confirm.title")}</h2>
        <p className="m-0 text-text-2">{t("confirm.text")}</p>
      </div>
      {details.state !== "issued" && <Alert type="warning" showIcon role="alert" title={t("confirm.used")} />}
      <Facts
        facts={[
          [t("confirm.school"), <strong key="school">{details.schoolName}</strong>],
          [t("confirm.sourcedId"), <code key="id">{details.schoolSourcedId}</code>],
          [t("confirm.district"), details.districtName],
          [t("confirm.issuedBy"), details.issuedBy],
          [t("confirm.server"), <code key="server">{details.server}</code>],
          [t("confirm.expires"), expires],
          [t("confirm.store"), place],
        ]}
      />
      <div className="flex flex-wrap gap-2">
        <Button type="primary" loading={busy} onClick={onEnroll}>
          {t("confirm.enroll")}
        </Button>
        <Button disabled={busy} onClick={onBack}>
          {t("confirm.notMine")}
        </Button>
      </div>
    </div>
  );
}
