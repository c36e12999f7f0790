import { useTranslation } from "react-i18next";
import { StatusPill } from "@/components/StatusPill";
import { formatTime } from "@/components/time";
import { usePreferences } from "@/theme/preferences";
import type { Tone } from "@/theme/tokens";
import type { Sync } from "./chain";

const TONES: Record<Sync["kind"], Tone> = {
  in_sync: "delivered",
  behind: "queued",
  gaps: "retrying",
  unknown: "paused",
};

/** Whether everything has arrived: a word with its time, and the sentence behind it. */
export function SyncBadge({ sync }: { sync: Sync }) {
  const { t } = useTranslation("deskStatus");
  const { zone } = usePreferences();
  const time = "at" in sync && sync.at > 0 ? formatTime(new Date(sync.at), zone).slice(11) : "";
  const told = {
    in_sync: () => [t("sync.inSync", { time }), t("sync.inSyncText", sync)],
    behind: () => [t("sync.behind"), t("sync.behindText", sync as Extract<Sync, { kind: "behind" }>)],
    gaps: () => {
      const { missing, sequence } = sync as Extract<Sync, { kind: "gaps" }>;
      return [t("sync.behind"), t("sync.gaps", { count: missing, sequence })];
    },
    unknown: () => [t("sync.unknown"), `${t("sync.unknownText", sync)}${time ? ` ${t("sync.asOf", { time })}` : ""}`],
  };
  const [word, text] = told[sync.kind]();
  return (
    <div className="flex flex-wrap items-center gap-2" data-sync={sync.kind}>
      <StatusPill tone={TONES[sync.kind]} word={word ?? ""} />
      <span className="text-text-2">{text}</span>
    </div>
  );
}
