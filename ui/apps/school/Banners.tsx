import { Alert } from "antd";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useReceiver } from "@/api/desk";
import { useLink } from "@/components/frame";
import { formatRelative, formatTime } from "@/components/time";
import type { Target } from "@/shell/host";
import { usePreferences } from "@/theme/preferences";

const TICK_MS = 15_000;

/** Since when a link that was there is lost; null while it holds. Told anew as it grows older. */
function useLostSince(target: Target): { since: number; now: number } | null {
  const state = useLink(target);
  const lost = state === "reconnecting";
  const since = useRef(0);
  if (!lost) since.current = 0;
  else if (since.current === 0) since.current = Date.now();
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!lost) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [lost]);
  return lost ? { since: since.current, now: Math.max(now, since.current) } : null;
}

/** Above every screen: which of the two links is lost, since when, and what that means. */
export function Banners({ enrolled }: { enrolled: boolean }) {
  const { t } = useTranslation("desk");
  const provider = useLostSince("provider");
  const receiverLost = useLostSince("receiver");
  const keyChanged = useLink("provider") === "server_key_changed";
  const receiver = useReceiver();
  return (
    <>
      {keyChanged && <Alert banner type="error" role="alert" title={t("banner.providerKey")} />}
      {enrolled && provider && <Banner kind="provider" {...provider} />}
      {/* A receiver that does not run has its own words on the Status page. */}
      {receiverLost && receiver.state !== "failed" && receiver.state !== "starting" && (
        <Banner kind="receiver" {...receiverLost} />
      )}
    </>
  );
}

function Banner({ kind, since, now }: { kind: "provider" | "receiver"; since: number; now: number }) {
  const { t } = useTranslation("desk");
  const { zone } = usePreferences();
  const told = { time: formatTime(new Date(since), zone).slice(11, 16), ago: formatRelative(new Date(since), now) };
  return <Alert banner type="warning" role="status" title={t(`banner.${kind}`, told)} />;
}
