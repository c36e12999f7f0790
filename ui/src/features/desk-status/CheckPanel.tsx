import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, LoaderCircle } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Section } from "@/components/Page";
import { formatDuration, formatTime } from "@/components/time";
import { usePreferences } from "@/theme/preferences";
import { ARRIVAL_S, type Check } from "./useCheck";

type Mark = "ok" | "bad" | "wait";
const ICONS = { ok: CircleCheck, bad: CircleX, wait: LoaderCircle };
const LOOKS = { ok: "text-delivered-mark", bad: "text-failed-mark", wait: "text-queued-mark" };

/** What became of the test message, step by step. */
export function CheckPanel({ check }: { check: Check }) {
  const { t } = useTranslation("deskStatus");
  const { t: e } = useTranslation("deskEvents");
  const { zone } = usePreferences();
  const { sent, arrived, error, missing } = check;
  const steps: [Mark, ReactNode][] = [];
  if (error) steps.push(["bad", <Words key="e" text={t("check.failed")} detail={error.message} />]);
  else if (!sent) steps.push(["ok", t("check.asked")], ["wait", t("check.sending")]);
  else if (!sent.ok)
    steps.push(["ok", t("check.asked")], ["bad", <Words key="s" text={t("check.notSent")} detail={sent.detail} />]);
  else {
    const latency = formatDuration(sent.latencyMs);
    steps.push(["ok", t("check.asked")], ["ok", t("check.sent", { code: sent.code, latency })]);
  }
  if (arrived) {
    const good = arrived.verdict === "verified";
    const verdict = e(`verdict.${arrived.verdict}` as "verdict.verified");
    const told = {
      time: formatTime(arrived.at ?? "", zone).slice(11),
      verdict,
      code: arrived.code,
      latency: formatDuration(arrived.latencyUs / 1_000),
    };
    steps.push([
      good ? "ok" : "bad",
      good ? t("check.arrived", told) : <BadArrival key="b" text={t("check.badArrival", told)} />,
    ]);
  } else if (sent?.ok) {
    steps.push(missing ? ["bad", t("check.missing", { seconds: ARRIVAL_S })] : ["wait", t("check.arriving")]);
  }
  return (
    <Section title={t("check.title")}>
      <ol role="status" className="m-0 flex list-none flex-col gap-2 p-0">
        {steps.map(([mark, text], index) => {
          const Icon = ICONS[mark];
          return (
            <li key={index} className="flex items-start gap-2">
              <Icon
                size={16}
                aria-hidden
                className={`mt-0.5 shrink-0 ${LOOKS[mark]} ${mark === "wait" ? "animate-spin" : ""}`}
              />
              <span className="min-w-0">{text}</span>
            </li>
          );
        })}
      </ol>
    </Section>
  );
}

function Words({ text, detail }: { text: string; detail: string }) {
  return (
    <>
      {text}
      <span className="block text-text-2">{detail}</span>
    </>
  );
}

function BadArrival({ text }: { text: string }) {
  const { t } = useTranslation("deskStatus");
  return (
    <>
      {text} <Link to={"/signature" as "/"}>{t("check.debug")}</Link>
    </>
  );
}
