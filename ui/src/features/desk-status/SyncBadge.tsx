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
  ahead: "paused",
  unsent: "paused",
};

/** Whether everything has arrived: a word with its time, and the sentence behind it. */
export function SyncBadge({ sync }: { sync: Sync }) {
  const { t } = useTranslation("deskStatus");
  const { zone } = usePreferences();
  const time = "at" in sync && sync.at > 0 ? formatTime(new Date(sync.at), zone).slice(11) : "";
  const [word, text] = wordsOf(t, sync, time);
  return (
    <div className="flex flex-wrap items-center gap-2" data-sync={sync.kind}>
      <StatusPill tone={TONES[sync.kind]} word={word} />
      <span className="text-text-2">{text}</span>
    </div>
  );
}

function wordsOf(t: ReturnType<typeof useTranslation<"deskStatus">>["t"], sync: Sync, time: string): [string, string] {
  switch (sync.kind) {
    case "in_sync":
      return [t("sync.inSync", { time }), t("sync.inSyncText", sync)];
    case "behind":
      return [t("sync.behind"), t("sync.behindText", sync)];
    case "gaps":
      return [t("sync.behind"), t("sync.gaps", { count: sync.missing, sequence: sync.sequence })];
    case "unknown":
      return [t("sync.unknown"), `${t("sync.unknownText", sync)}${time ? ` ${t("sync.asOf", { time })}` : ""}`];
    case "ahead":
      return [t("sync.unknown"), t("sync.aheadText", sync)];
    case "unsent":
      return [t("sync.unknown"), t("sync.unsentText", { state: t(`state.${sync.state}`) })];
  }
}
