import { Outlet, useNavigate } from "@tanstack/react-router";
import { Bug, Inbox, KeyRound, LayoutDashboard, Settings, UsersRound } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Frame, LinkStatus } from "@/components/frame";
import { useSchoolHost } from "@/shell/context";

/** The desk's frame: where to go, and how the provider and the receiver are. */
export function Shell() {
  const { t } = useTranslation("school");
  const host = useSchoolHost();
  const navigate = useNavigate();
  useEffect(
    () =>
      host.watchPlaces((link) => {
        const code = /^rollcall-school:\/\/enroll\/?\?code=([A-Za-z0-9-]+)$/.exec(link)?.[1];
        // A link opens the place with the code filled in; the person presses the button.
        if (code) void navigate({ to: "/enroll" as "/", search: { code } as never });
      }),
    [host, navigate],
  );
  return (
    <Frame
      name={t("name")}
      places={[
        { to: "/", label: t("place.status"), icon: LayoutDashboard },
        { to: "/roster", label: t("place.roster"), icon: UsersRound },
        { to: "/events", label: t("place.events"), icon: Inbox },
        { to: "/signature", label: t("place.signature"), icon: Bug },
        { to: "/rotate", label: t("place.rotate"), icon: KeyRound },
        { to: "/settings", label: t("place.settings"), icon: Settings },
      ]}
      status={
        <>
          <LinkStatus target="provider" />
          <LinkStatus target="receiver" />
        </>
      }
    >
      <Outlet />
    </Frame>
  );
}
