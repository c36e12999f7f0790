import { Hourglass, KeyRound } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Fingerprint } from "@/components/desk";
import { Section } from "@/components/Page";
import { Scroller } from "@/components/Scroller";
import { StatusPill } from "@/components/StatusPill";
import { Time } from "@/components/time";
import type { SecretInfo } from "@/gen/rollcall/provider/v1/school";

/** The live secrets by their six words: here, and as the provider has them. */
export function Secrets({
  fingerprints,
  secrets,
  offline,
}: {
  fingerprints: string[];
  secrets: SecretInfo[];
  offline: boolean;
}) {
  const { t } = useTranslation("deskRotate");
  return (
    <Section title={t("current.title")}>
      <div className="flex flex-col gap-4">
        <div>
          <div className="mb-1 text-label text-text-3">{t("current.receiver")}</div>
          <ul className="m-0 flex list-none flex-col gap-1 p-0">
            {fingerprints.map((words) => (
              <li key={words}>
                <Fingerprint words={words} />
              </li>
            ))}
          </ul>
        </div>
        {offline && <p className="m-0 text-text-2">{t("current.offline")}</p>}
        {secrets.length > 0 && (
          <Scroller label={t("current.provider")}>
            <table className="w-full border-collapse text-left">
              <caption className="mb-1 text-left text-label text-text-3">{t("current.provider")}</caption>
              <thead className="text-label text-text-2">
                <tr>
                  {(["fingerprint", "state", "created", "expires", "used"] as const).map((column) => (
                    <th key={column} className="py-1 pr-4 font-medium whitespace-nowrap">
                      {t(`current.${column}`)}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {secrets.map((secret) => (
                  <Row key={secret.id} secret={secret} />
                ))}
              </tbody>
            </table>
          </Scroller>
        )}
      </div>
    </Section>
  );
}

function Row({ secret }: { secret: SecretInfo }) {
  const { t } = useTranslation("deskRotate");
  const pill = {
    active: <StatusPill tone="delivered" word={t("current.active")} />,
    pending: <StatusPill tone="queued" icon={KeyRound} word={t("current.pending")} />,
    retiring: <StatusPill tone="paused" icon={Hourglass} word={t("current.retiring")} />,
  }[secret.state];
  return (
    <tr className="border-0 border-t border-solid border-hairline">
      <td className="py-1.5 pr-4 whitespace-nowrap">
        {secret.fingerprint ? <Fingerprint words={secret.fingerprint} /> : "–"}
      </td>
      <td className="py-1.5 pr-4">{pill ?? secret.state}</td>
      <td className="py-1.5 pr-4">
        <Time at={secret.createdAt} />
      </td>
      <td className="py-1.5 pr-4">{secret.expiresAt ? <Time at={secret.expiresAt} /> : t("current.never")}</td>
      <td className="py-1.5 pr-4">
        {secret.lastVerifiedAt ? <Time at={secret.lastVerifiedAt} /> : t("current.unknown")}
      </td>
    </tr>
  );
}
