import { Tooltip } from "antd";
import { useTranslation } from "react-i18next";
import { formatCount } from "@/components/format";
import { PILL_ICONS, StatusPill } from "@/components/StatusPill";
import { Time } from "@/components/time";
import type { Connection, DeliveryFigures } from "@/gen/rollcall/provider/v1/school";

/** Whether the school's copy equals the roster: never claimed before a comparison said so. */
export function InSync() {
  const { t } = useTranslation("schools");
  return (
    <Tooltip title={t("sync.why")}>
      <span>
        <StatusPill tone="paused" icon={PILL_ICONS.none} word={t("sync.unknown")} />
      </span>
    </Tooltip>
  );
}

/** How the school came by its secret, or how far that is. */
export function useEnrollment(connection: Connection | undefined): string {
  const { t } = useTranslation("schools");
  if (!connection) return t("enrollment.none");
  const { code, installationHost, ownReceiver, secrets } = connection;
  if (ownReceiver) return secrets.length > 0 ? t("enrollment.own") : t("enrollment.ownWaiting");
  if (code?.state === "compromised") return t("enrollment.compromised");
  if (installationHost) return t("enrollment.on", { host: installationHost });
  switch (code?.state) {
    case "issued":
      return t("enrollment.issued");
    case "claimed":
      return t("enrollment.claimed", { host: code.redeemedByHost });
    case "expired":
      return t("enrollment.expired");
    case "revoked":
      return t("enrollment.revoked");
    case "locked":
      return t("enrollment.locked");
    default:
      return t("enrollment.none");
  }
}

export function Enrollment({ connection }: { connection: Connection | undefined }) {
  return <>{useEnrollment(connection)}</>;
}

/** What waits for a school, by state; only what there is. */
export function Waiting({ figures }: { figures: DeliveryFigures | undefined }) {
  const { t } = useTranslation("schools");
  const parts = (["pending", "parked", "held"] as const)
    .map((state) => ({ state, count: figures?.[state] ?? "0" }))
    .filter(({ count }) => count !== "0")
    .map(({ state, count }) => t(`waiting.${state}`, { total: formatCount(count) }));
  return parts.length === 0 ? t("waiting.none") : parts.join(", ");
}

/** How old the secret in force is. */
export function SecretAge({ connection }: { connection: Connection | undefined }) {
  const { t } = useTranslation("schools");
  const active = connection?.secrets.find(({ state }) => state === "active");
  return active?.createdAt ? <Time at={active.createdAt} relative /> : t("card.noSecret");
}
