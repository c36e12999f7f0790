import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { Loaded } from "@/components/states";
import { Time } from "@/components/time";
import type { Attempt } from "@/gen/rollcall/provider/v1/log";
import { codeText, StatusWord } from "../columns";

const ROWS = 20;
const SHOWN = 8;

/** The newest attempt of each message. */
function eachOnce(attempts: Attempt[]): Attempt[] {
  const seen = new Set<string>();
  return attempts.filter(({ messageId }) => !seen.has(messageId) && seen.add(messageId)).slice(0, SHOWN);
}

/** The newest attempts that match, to see that the right ones are meant. */
export function ReplayPreview({ school, filter, from }: { school: string; filter: string; from: string | undefined }) {
  const { t } = useTranslation("webhookLog");
  const text = from ? `${filter} after:${from}`.trim() : filter;
  const query = useCall("LogService/ListAttempts", { school, filter: text, pageSize: ROWS });
  return (
    <section aria-label={t("replay.preview")} className="flex flex-col gap-1">
      <h3 className="m-0 text-label font-medium text-text-2">{t("replay.preview")}</h3>
      <Loaded query={query}>
        {({ attempts }) => (
          <ul className="m-0 flex list-none flex-col p-0 text-label">
            {eachOnce(attempts).map((row) => (
              <li
                key={row.logSequence}
                className="grid min-h-6 grid-cols-[150px_100px_1fr_auto] items-center gap-2 border-0 border-b border-solid border-hairline"
              >
                <Time at={row.at} />
                <StatusWord t={t} status={row.status} />
                <code className="truncate">{row.messageId}</code>
                <span className="text-text-2">{codeText(t, row)}</span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </section>
  );
}
