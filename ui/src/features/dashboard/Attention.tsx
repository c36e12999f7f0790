import { Button } from "antd";
import { CircleAlert, CircleCheck, Info, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Section } from "@/components/Page";
import { formatTime, Time } from "@/components/time";
import type { AttentionItem, Overview } from "@/gen/rollcall/provider/v1/log";
import { usePreferences } from "@/theme/preferences";
import { useRemedy } from "./useRemedy";

const SHOWN = 7;

/** What a person should look at, the most urgent first, each with one thing to do. */
export function Attention({ overview }: { overview: Overview }) {
  const { t } = useTranslation("dashboard");
  const { zone } = usePreferences();
  const more = overview.attentionTotal - Math.min(overview.attention.length, SHOWN);
  if (overview.attention.length === 0) {
    const time = overview.at ? formatTime(overview.at, zone).slice(0, 16) : "";
    return (
      <Section title={t("attention.title")}>
        <p className="m-0 flex items-center gap-2">
          <CircleCheck size={18} aria-hidden className="shrink-0 text-delivered" />
          <span className="font-medium">{t("attention.clear")}</span>
          <span className="text-text-3 tabular-nums">{t("attention.checked", { time })}</span>
        </p>
      </Section>
    );
  }
  return (
    <Section
      flush
      title={t("attention.title")}
      actions={more > 0 && <span className="text-text-3">{t("attention.more", { count: more })}</span>}
    >
      <ul className="m-0 list-none p-0">
        {overview.attention.slice(0, SHOWN).map((item) => (
          <Item key={`${item.kind} ${item.schoolId} ${item.runId} ${item.messageId}`} item={item} />
        ))}
      </ul>
    </Section>
  );
}

const LOOKS = {
  urgent: { icon: CircleAlert, text: "text-failed" },
  warning: { icon: TriangleAlert, text: "text-retrying" },
  notice: { icon: Info, text: "text-queued" },
};

function Item({ item }: { item: AttentionItem }) {
  const { t } = useTranslation("dashboard");
  const remedy = useRemedy(item);
  const severity = item.severity in LOOKS ? (item.severity as keyof typeof LOOKS) : "notice";
  const { icon: Icon, text } = LOOKS[severity];
  return (
    <li className="flex min-h-11 items-center gap-3 border-0 border-b border-solid border-hairline px-4 py-2 last:border-b-0">
      <span className={`inline-flex w-20 shrink-0 items-center gap-1.5 text-label font-medium ${text}`}>
        <Icon size={16} aria-hidden />
        {t(`attention.${severity}`)}
      </span>
      <span className="min-w-0 flex-1">{item.message}</span>
      <span className="hidden w-36 shrink-0 text-label text-text-3 lg:inline">
        {item.since && <Time at={item.since} />}
      </span>
      <Button
        size="small"
        className="min-w-36"
        aria-label={t("do.label", { act: remedy.word, about: item.schoolName || item.message })}
        onClick={remedy.run}
      >
        {remedy.word}
      </Button>
    </li>
  );
}
