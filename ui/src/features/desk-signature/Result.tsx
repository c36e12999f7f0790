import { CircleCheck, CircleX } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Section } from "@/components/Page";
import { StatusPill } from "@/components/StatusPill";
import type { CheckSignatureResponse } from "@/gen/rollcall/school/v1/receiver";

/** The checks in order with their evidence, then what most likely happened and what to do. */
export function Result({ result, stale }: { result: CheckSignatureResponse; stale: boolean }) {
  const { t, i18n } = useTranslation("deskSignature");
  const named = (kind: "step" | "cause", word: string) =>
    i18n.exists(`${kind}.${word}`, { ns: "deskSignature" }) ? t(`${kind}.${word}` as "step.headers") : word;
  return (
    <Section title={t("result.title")}>
      <div role="status" className="flex flex-col gap-4">
        <StatusPill
          tone={result.verified ? "delivered" : "failed"}
          word={result.verified ? t("result.verified") : t("result.failed")}
        />
        {stale && <p className="m-0 text-text-3">{t("result.stale")}</p>}
        <ol aria-label={t("result.steps")} className="m-0 flex list-none flex-col gap-3 p-0">
          {result.checks.map((check) => {
            const Icon = check.ok ? CircleCheck : CircleX;
            return (
              <li key={check.step} data-step={check.step} data-ok={check.ok} className="flex items-start gap-2">
                <Icon
                  size={16}
                  aria-label={check.ok ? t("result.passed") : t("result.notPassed")}
                  className={`mt-0.5 shrink-0 ${check.ok ? "text-delivered-mark" : "text-failed-mark"}`}
                />
                <span className="min-w-0">
                  <span className="font-medium">{named("step", check.step)}</span>
                  <code className="block break-words whitespace-pre-wrap text-text-2">{check.evidence}</code>
                </span>
              </li>
            );
          })}
        </ol>
        <div className="rounded-card bg-surface-2 p-4">
          <h3 className="m-0 text-label font-medium text-text-3">{t("result.cause")}</h3>
          <p className="m-0 text-section font-semibold">{named("cause", result.likelyCause)}</p>
          {result.advice && (
            <>
              <h3 className="mt-3 mb-0 text-label font-medium text-text-3">{t("result.advice")}</h3>
              <p className="m-0">{result.advice}</p>
            </>
          )}
        </div>
      </div>
    </Section>
  );
}
