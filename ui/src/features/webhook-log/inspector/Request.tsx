import { useTranslation } from "react-i18next";
import { Exact } from "@/components/Copy";
import { Facts } from "@/components/Page";
import type { Message } from "@/gen/rollcall/provider/v1/log";
import { formatBytes } from "../looks";
import { Body } from "./Body";
import { Headers } from "./Headers";
import { Reveal } from "./Reveal";
import type { Revealing } from "./useMessage";

/** What was sent: headers, and the exact bytes that were signed, once revealed. */
export function Request({ message, body, reveal }: { message: Message; body: string | null; reveal: Revealing }) {
  const { t } = useTranslation("webhookLog");
  return (
    <div className="flex flex-col gap-4">
      <Facts
        facts={[
          [t("body.size"), `${formatBytes(message.bodyBytes)} (${message.bodyBytes.toLocaleString("en")} B)`],
          [t("body.sha256"), message.bodySha256 ? <Exact key="sha" text={message.bodySha256} /> : t("body.noDigest")],
        ]}
      />
      <Headers headers={message.requestHeaders} title={t("body.headersOf", { number: message.tries })} />
      {body === null ? <Reveal message={message} reveal={reveal} /> : <Body base64={body} label={t("body.label")} />}
    </div>
  );
}
