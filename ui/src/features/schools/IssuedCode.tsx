import { QRCode } from "antd";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/components/Copy";
import { Time } from "@/components/time";
import type { IssueCodeResponse } from "@/gen/rollcall/provider/v1/school";

/** A code on the screen, the one time that it is answered. */
export function IssuedCode({ issued }: { issued: IssueCodeResponse }) {
  const { t } = useTranslation("schools");
  return (
    <div className="flex flex-wrap items-start gap-6 rounded-card border border-solid border-hairline bg-surface-2 p-4">
      <div className="flex min-w-64 flex-1 flex-col gap-3">
        <dl className="m-0 flex flex-col gap-3">
          <div>
            <dt className="text-label text-text-3">{t("code.value")}</dt>
            <dd className="m-0 flex items-start gap-1">
              <code data-testid="enrollment-code" className="break-all text-body font-medium">
                {issued.code}
              </code>
              <CopyButton text={issued.code} />
            </dd>
          </div>
          <div>
            <dt className="text-label text-text-3">{t("code.link")}</dt>
            <dd className="m-0 flex items-start gap-1">
              <code className="break-all text-text-2">{issued.deepLink}</code>
              <CopyButton text={issued.deepLink} />
            </dd>
          </div>
          <div>
            <dt className="text-label text-text-3">{t("code.expires")}</dt>
            <dd className="m-0">
              <Time at={issued.expiresAt} /> (<Time at={issued.expiresAt} relative />)
            </dd>
          </div>
        </dl>
        <p className="m-0 text-label text-text-3">{t("code.once")}</p>
      </div>
      {/* Dark on white in both themes: cameras read nothing else as surely. */}
      <div role="img" aria-label={t("code.qr")} className="rounded-control bg-white p-2">
        <QRCode
          aria-hidden
          type="svg"
          value={issued.deepLink}
          size={176}
          bordered={false}
          color="#000000"
          bgColor="#ffffff"
        />
      </div>
    </div>
  );
}
