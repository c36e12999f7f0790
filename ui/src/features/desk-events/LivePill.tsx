import { Button } from "antd";
import { Circle, Pause, RefreshCw, TriangleAlert, Unplug } from "lucide-react";
import { useTranslation } from "react-i18next";
import { StatusPill } from "@/components/StatusPill";
import type { Tail } from "./useEvents";

/** Whether new rows come in, and the one thing to do about it. */
export function LivePill({
  tail,
  frozen,
  fresh,
  onPause,
  onResume,
  onLoad,
}: {
  tail: Tail;
  frozen: boolean;
  fresh: number;
  onPause: () => void;
  onResume: () => void;
  onLoad: () => void;
}) {
  const { t } = useTranslation("deskEvents");
  const act = (label: string, onClick: () => void) => (
    <Button size="small" onClick={onClick}>
      {label}
    </Button>
  );
  const [pill, button] = (() => {
    if (tail.state === "gap") {
      const word = t("live.gap", { count: tail.missed });
      return [<StatusPill key="p" tone="retrying" icon={TriangleAlert} word={word} />, act(t("live.load"), onLoad)];
    }
    if (tail.state === "ended") {
      const word = t("live.ended", { error: tail.error.message });
      return [
        <StatusPill key="p" tone="failed" icon={Unplug} word={word} />,
        act(t("act.refresh", { ns: "common" }), onLoad),
      ];
    }
    if (frozen) {
      const word = fresh > 0 ? t("live.pausedNew", { count: fresh }) : t("live.paused");
      return [<StatusPill key="p" tone="paused" icon={Pause} word={word} />, act(t("live.resume"), onResume)];
    }
    if (tail.state === "reconnecting") {
      return [<StatusPill key="p" tone="retrying" icon={RefreshCw} word={t("live.reconnecting")} />, null];
    }
    return [<StatusPill key="p" tone="delivered" icon={Circle} word={t("live.live")} />, act(t("live.pause"), onPause)];
  })();
  return (
    <span role="status" className="inline-flex items-center gap-2">
      {pill}
      {button}
    </span>
  );
}
