import { useTranslation } from "react-i18next";
import { LinkStatus, ZoneSwitch } from "@/components/frame";
import { StaleBanner } from "@/components/states";
import type { LogFeed } from "./feed/LogFeed";
import { useFeed } from "./useLogFeed";

/** The link, the number of rows, the zone; above it, how old the list is while the link is lost: nothing moves by it. */
export function StatusBar({ feed }: { feed: LogFeed }) {
  const { t } = useTranslation("webhookLog");
  const count = useFeed(feed, ({ rows }) => rows.length);
  const more = useFeed(feed, (view) => view.more);
  const since = useFeed(feed, ({ tail, asOf }) => (tail.kind === "reconnecting" || tail.kind === "off" ? asOf : 0));
  const error = useFeed(feed, ({ tail }) => (tail.kind === "off" ? tail.error : null));
  return (
    <>
      <div>{since > 0 && <StaleBanner since={since} error={error} />}</div>
      <footer className="flex items-center gap-4 border-0 border-t border-solid border-hairline bg-surface px-3 text-label text-text-3">
        <LinkStatus target="provider" />
        <span className="tabular-nums">{t(more ? "rowsMore" : "rows", { count })}</span>
        <ZoneSwitch />
      </footer>
    </>
  );
}
