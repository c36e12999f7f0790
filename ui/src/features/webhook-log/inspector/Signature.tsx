import { useTranslation } from "react-i18next";
import type { Message } from "@/gen/rollcall/provider/v1/log";

/** Which secrets signed each attempt, by their six words, and which one the school's system checked with. */
export function Signature({ message }: { message: Message }) {
  const { t } = useTranslation("webhookLog");
  return (
    <div className="flex flex-col gap-3">
      <p className="m-0 text-text-2">{t("signature.intro")}</p>
      <table className="w-full border-collapse text-left text-label">
        <thead className="text-text-2">
          <tr>
            <th className="py-1 pr-2 font-medium">{t("signature.attempt")}</th>
            <th className="py-1 pr-2 font-medium">{t("signature.signedBy")}</th>
            <th className="py-1 font-medium">{t("signature.verified")}</th>
          </tr>
        </thead>
        <tbody>
          {message.attempts.map(({ attempt, signedBy, verifiedKey }) => (
            <tr key={attempt?.logSequence} className="border-0 border-t border-solid border-hairline align-top">
              <td className="py-1.5 pr-2 tabular-nums">{attempt?.tryNumber}</td>
              <td className="py-1.5 pr-2">
                {signedBy.length === 0 && <span className="text-text-3">{t("signature.notKnown")}</span>}
                {signedBy.map((key) => (
                  <code key={key} className="block">
                    {key}
                  </code>
                ))}
              </td>
              <td className="py-1.5">
                {verifiedKey ? (
                  <code>{verifiedKey}</code>
                ) : (
                  <span className="text-text-3">{t("signature.unknown")}</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
