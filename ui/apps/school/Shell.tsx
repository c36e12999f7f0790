import { Outlet, useNavigate } from "@tanstack/react-router";
import { Bug, Inbox, KeyRound, LayoutDashboard, LogIn, Settings, UsersRound } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useReceiverStatus } from "@/api/desk";
import { Frame, LinkStatus } from "@/components/frame";
import { useSchoolHost } from "@/shell/context";
import { Banners } from "./Banners";

/** Where a link may lead. */
const PLACES = new Set(["status", "roster", "events", "signature", "rotate", "settings"]);

/** The place that a link means: links open places and never act. */
function placeOf(link: string): { to: string; search: object } | null {
  const code = /^rollcall-school:\/\/enroll\/?\?code=([A-Za-z0-9-]+)$/.exec(link)?.[1];
  if (code) return { to: "/enroll", search: { code } };
  const place = /^rollcall-school:\/\/([a-z]+)\/?$/.exec(link)?.[1];
  if (place === "enroll") return { to: "/enroll", search: {} };
  // From the tray: the check is one press away.
  if (link === "rollcall-school://status?check=1") return { to: "/", search: { check: 1 } };
  if (!place || !PLACES.has(place)) return null;
  return { to: place === "status" ? "/" : `/${place}`, search: {} };
}

/** The desk's frame: where to go, and how the provider and the receiver are. */
export function Shell() {
  const { t } = useTranslation("school");
  const { t: desk } = useTranslation("desk");
  const host = useSchoolHost();
  const navigate = useNavigate();
  const { data: status } = useReceiverStatus();
  useEffect(
    () =>
      host.watchPlaces((link) => {
        const place = placeOf(link);
        if (place) void navigate({ to: place.to as "/", search: place.search as never });
      }),
    [host, navigate],
  );
  const enroll = { to: "/enroll", label: t("place.enroll"), icon: LogIn };
  return (
    <Frame
      name={t("name")}
      places={[
        { to: "/", label: t("place.status"), icon: LayoutDashboard, badge: status?.alerts },
        ...(status && !status.enrolled ? [enroll] : []),
        { to: "/roster", label: t("place.roster"), icon: UsersRound },
        { to: "/events", label: t("place.events"), icon: Inbox },
        { to: "/signature", label: t("place.signature"), icon: Bug },
        { to: "/rotate", label: t("place.rotate"), icon: KeyRound },
        { to: "/settings", label: t("place.settings"), icon: Settings },
      ]}
      acts={[{ label: desk("enroll"), run: () => void navigate({ to: "/enroll" as "/" }) }]}
      status={
        <>
          <span className="inline-flex items-center gap-1.5">
            {t("link.provider")} <LinkStatus target="provider" />
          </span>
          <span className="inline-flex items-center gap-1.5">
            {t("link.receiver")} <LinkStatus target="receiver" />
          </span>
          {status && <span>{t("link.version", { version: status.version })}</span>}
          {status?.schoolName && <span className="truncate">{status.schoolName}</span>}
        </>
      }
    >
      <div className="flex h-full min-h-0 flex-col">
        <Banners enrolled={status?.enrolled === true} />
        <div className="relative min-h-0 flex-1 overflow-y-auto">
          <Outlet />
        </div>
      </div>
    </Frame>
  );
}
