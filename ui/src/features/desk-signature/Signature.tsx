import { useSearch } from "@tanstack/react-router";
import { Alert } from "antd";
import { Bug } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { Page, Section } from "@/components/Page";
import { Empty } from "@/components/states";
import type { CheckSignatureResponse } from "@/gen/rollcall/school/v1/receiver";
import { RequestForm } from "./RequestForm";
import { Result } from "./Result";
import type { Asked } from "./useRequest";

/** Why a signature is right or not, step by step. */
export default function Signature() {
  const { t } = useTranslation("deskSignature");
  const { id, at } = useSearch({ strict: false }) as { id?: unknown; at?: unknown };
  const check = useAct("ReceiverService/CheckSignature");
  const [shown, setShown] = useState<{ result: CheckSignatureResponse; of: string } | null>(null);
  const [now, setNow] = useState("");
  const ask = (request: Asked) => {
    check.mutate(request, { onSuccess: (result) => setShown({ result, of: JSON.stringify(request) }) });
  };
  return (
    <Page title={t("title")}>
      <p className="m-0 -mt-2 text-text-2">{t("intro")}</p>
      <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-2">
        <Section title={t("source.title")}>
          <RequestForm
            from={typeof id === "string" && id ? { id, at: typeof at === "string" ? at : "" } : null}
            busy={check.isPending}
            onCheck={ask}
            onChange={setNow}
          />
        </Section>
        <div className="flex flex-col gap-4">
          {check.error && <Alert type="error" showIcon role="alert" title={check.error.message} />}
          {!shown && !check.error && (
            <Section title={t("result.title")}>
              <Empty icon={<Bug size={28} strokeWidth={1.5} />} text={t("result.empty")} />
            </Section>
          )}
          {shown && <Result result={shown.result} stale={now !== "" && now !== shown.of} />}
        </div>
      </div>
    </Page>
  );
}
