import { useTranslation } from "react-i18next";
import { StatusPill } from "@/components/StatusPill";
import type { Resent } from "./acts/useResend";
import { TONE } from "./looks";

/** A message that was sent again: queued, and then what came of it. */
export function ResentPill({ resent: { number, as, outcome } }: { resent: Resent }) {
  const { t } = useTranslation("webhookLog");
  if (!outcome) return <StatusPill tone="queued" word={t(as ? "resend.queuedAs" : "resend.queued", { number })} />;
  const word =
    outcome.status === "delivered" ? "delivered" : outcome.status === "retrying" ? "retrying" : ("failed" as const);
  return (
    <StatusPill tone={TONE[outcome.status] ?? "failed"} word={t(`resend.${word}`, { number: outcome.tryNumber })} />
  );
}
