import { Button } from "antd";
import { CircleCheck, CircleDashed, CircleX } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { useTell } from "@/components/forms";
import type { TestAddressResponse } from "@/gen/rollcall/provider/v1/school";

const STEPS = ["policy", "dns", "connect", "tls", "answer"] as const;

/** Tries an address step by step; nothing is stored and no student's data is sent. */
export function AddressTest({ url }: { url: string }) {
  const { t } = useTranslation("schools");
  const tell = useTell();
  const test = useAct("SchoolService/TestAddress");
  const result = test.data && test.variables?.url === url ? test.data : undefined;
  return (
    <div className="flex flex-col items-start gap-3">
      <Button
        loading={test.isPending}
        disabled={url.trim() === ""}
        onClick={() => test.mutate({ url }, { onError: tell.failed })}
      >
        {t("address.test")}
      </Button>
      <div role="status" className="w-full empty:hidden">
        {test.isPending && t("address.testing")}
        {!test.isPending && result && <Result result={result} />}
      </div>
    </div>
  );
}

function Result({ result }: { result: TestAddressResponse }) {
  const { t } = useTranslation("schools");
  return (
    <section
      aria-label={t("address.result")}
      className={`rounded-card border border-solid p-3 ${result.ok ? "border-delivered-mark" : "border-failed-mark"}`}
    >
      <p className={`m-0 mb-2 font-medium ${result.ok ? "text-delivered" : "text-failed"}`}>
        {result.ok ? t("address.good") : t("address.bad")}
      </p>
      <ol className="m-0 flex list-none flex-col gap-1 p-0">
        {STEPS.map((step) => {
          const check = result.checks.find((check) => check.step === step);
          // An http address inside an allowed network has no certificate to look at.
          if (!check && result.ok) return null;
          const Icon = !check ? CircleDashed : check.ok ? CircleCheck : CircleX;
          const look = !check ? "text-text-3" : check.ok ? "text-delivered" : "text-failed";
          return (
            <li key={step} className="flex gap-2">
              <Icon size={16} aria-hidden className={`mt-0.5 shrink-0 ${look}`} />
              <span className="w-36 shrink-0 font-medium">{t(`address.step.${step}`)}</span>
              <span className="min-w-0 break-words text-text-2">{check ? check.detail : t("address.notRun")}</span>
            </li>
          );
        })}
      </ol>
      {!result.ok && <p className="m-0 mt-2 text-text-3">{t("address.saveAnyway")}</p>}
    </section>
  );
}
