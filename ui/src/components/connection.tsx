import type { LucideIcon } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { ConnectionState } from "@/gen/rollcall/provider/v1/school";
import type { Tone } from "@/theme/tokens";
import { PILL_ICONS, StatusPill } from "./StatusPill";

const LOOKS: Record<ConnectionState, { tone: Tone; icon?: LucideIcon }> = {
  CONNECTION_STATE_COMPROMISED: { tone: "failed", icon: PILL_ICONS.alarm },
  CONNECTION_STATE_DOWN: { tone: "failed" },
  CONNECTION_STATE_HELD: { tone: "parked" },
  CONNECTION_STATE_REVOKED: { tone: "failed", icon: PILL_ICONS.off },
  CONNECTION_STATE_FAILING: { tone: "retrying" },
  CONNECTION_STATE_PAUSED: { tone: "paused" },
  CONNECTION_STATE_ENROLLING: { tone: "queued" },
  CONNECTION_STATE_NOT_CONNECTED: { tone: "paused", icon: PILL_ICONS.none },
  CONNECTION_STATE_ACTIVE: { tone: "delivered" },
  CONNECTION_STATE_UNSPECIFIED: { tone: "paused", icon: PILL_ICONS.none },
};

/** Connection states, the worst first. */
export const WORST_FIRST = Object.keys(LOOKS) as ConnectionState[];

/** How a school's connection is. */
export function ConnectionPill({ state }: { state: ConnectionState }) {
  const { t } = useTranslation();
  return <StatusPill {...LOOKS[state]} word={t(`connection.${state}`)} />;
}
