import { Button, Tooltip } from "antd";
import { Keyboard, RotateCcw } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { IconButton, PersonalSwitch, ThemeMenu } from "@/components/frame";
import { PILL_ICONS, StatusPill } from "@/components/StatusPill";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { useMay } from "@/shell/session";
import type { Tone } from "@/theme/tokens";

const TONES: Record<string, Tone> = {
  CONNECTION_STATE_ACTIVE: "delivered",
  CONNECTION_STATE_FAILING: "retrying",
  CONNECTION_STATE_DOWN: "failed",
  CONNECTION_STATE_COMPROMISED: "failed",
  CONNECTION_STATE_REVOKED: "failed",
  CONNECTION_STATE_HELD: "paused",
  CONNECTION_STATE_PAUSED: "paused",
  CONNECTION_STATE_ENROLLING: "queued",
  CONNECTION_STATE_NOT_CONNECTED: "paused",
};

/** The slim bar of this window: which school, how its connection is, how the list is, what can be done. */
export function TopBar({
  school,
  id,
  pill,
  onReplay,
  onSheet,
  children,
}: {
  school: School | undefined;
  id: string;
  pill: ReactNode;
  onReplay: () => void;
  onSheet: () => void;
  /** Further acts. */
  children: ReactNode;
}) {
  const { t } = useTranslation("webhookLog");
  const { t: c } = useTranslation();
  const operator = useMay("ROLE_OPERATOR");
  const state = school?.connection?.state ?? "CONNECTION_STATE_UNSPECIFIED";
  const alarm = state === "CONNECTION_STATE_COMPROMISED" || state === "CONNECTION_STATE_REVOKED";
  return (
    <header className="flex min-h-11 flex-wrap items-center gap-2 border-0 border-b border-solid border-hairline bg-surface px-3 py-1">
      <span aria-hidden className="inline-block h-4 w-4 shrink-0 rounded-chip bg-accent" />
      <h1 className="m-0 max-w-80 truncate text-section font-semibold">{school?.name ?? id}</h1>
      {school && (
        <Tooltip title={school.connection?.reason}>
          <span>
            <StatusPill
              tone={TONES[state] ?? "paused"}
              icon={alarm ? PILL_ICONS.alarm : undefined}
              word={t(`connection.${state}`)}
            />
          </span>
        </Tooltip>
      )}
      {pill}
      <span className="ml-auto flex items-center gap-1">
        {children}
        <Tooltip title={operator ? "" : t("act.needsOperator")}>
          <Button disabled={!operator} icon={<RotateCcw size={14} aria-hidden />} onClick={onReplay}>
            {t("act.replay")}
          </Button>
        </Tooltip>
        <PersonalSwitch />
        <ThemeMenu />
        <IconButton icon={Keyboard} label={c("frame.shortcuts")} onClick={onSheet} />
      </span>
    </header>
  );
}
