import { useTranslation } from "react-i18next";
import { CopyButton } from "@/components/Copy";
import type { ShowSecretOnceResponse } from "@/gen/rollcall/provider/v1/school";

/** The secret itself, with the words that both sides know it by. */
export function Shown({ answer }: { answer: ShowSecretOnceResponse }) {
  const { t } = useTranslation("secretOnce");
  return (
    <>
      <dl className="m-0 flex flex-col gap-4">
        <div>
          <dt className="text-label text-text-3">{t("secret")}</dt>
          <dd className="m-0 flex items-start gap-1 rounded-control border border-solid border-control bg-surface-2 p-3">
            <code className="min-w-0 flex-1 break-all text-body">{answer.secret}</code>
            <CopyButton text={answer.secret} />
          </dd>
        </div>
        {answer.info && (
          <div>
            <dt className="text-label text-text-3">{t("fingerprint")}</dt>
            <dd className="m-0">
              <strong className="font-mono">{answer.info.fingerprint}</strong>
              <span className="block text-label text-text-3">{t("fingerprintHint")}</span>
            </dd>
          </div>
        )}
      </dl>
      <p role="status" className="m-0 text-text-2">
        {t("handOver")}
      </p>
    </>
  );
}
