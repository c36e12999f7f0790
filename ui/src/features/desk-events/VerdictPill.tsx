import { CircleCheck, CircleHelp, Clock, Copy, type LucideIcon, ShieldX, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { StatusPill } from "@/components/StatusPill";
import type { Tone } from "@/theme/tokens";
import { VERDICTS, type Verdict } from "./rows";

const LOOKS: Record<Verdict, [Tone, LucideIcon]> = {
  verified: ["delivered", CircleCheck],
  duplicate: ["paused", Copy],
  bad_signature: ["failed", ShieldX],
  too_old: ["retrying", Clock],
  rejected: ["failed", TriangleAlert],
};

/** A row's left edge, for what is to be looked at. */
export const EDGES: Record<Verdict, string> = {
  verified: "border-l-3 border-l-transparent",
  duplicate: "border-l-3 border-l-transparent",
  bad_signature: "border-l-3 border-l-failed-mark",
  too_old: "border-l-3 border-l-retrying-mark",
  rejected: "border-l-3 border-l-failed-mark",
};

/** What was said about a request. A verdict of a newer receiver is shown as it is named. */
export function VerdictPill({ verdict }: { verdict: string }) {
  const { t } = useTranslation("deskEvents");
  const known = VERDICTS.find((name) => name === verdict);
  if (!known) return <StatusPill tone="paused" icon={CircleHelp} word={verdict} />;
  const [tone, icon] = LOOKS[known];
  return <StatusPill tone={tone} icon={icon} word={t(`verdict.${known}`)} />;
}
