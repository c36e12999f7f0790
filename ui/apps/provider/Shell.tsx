import { Outlet, useNavigate } from "@tanstack/react-router";
import { Button, Dropdown } from "antd";
import {
  ChartLine,
  CircleUserRound,
  FileUp,
  GraduationCap,
  LayoutDashboard,
  PackageX,
  School,
  ScrollText,
  Users,
} from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { Frame, LinkStatus, type Place } from "@/components/frame";
import { useProviderHost } from "@/shell/context";
import { useMay, useSession } from "@/shell/session";

/** The main window's frame: where to go, who is signed in, how the server is. */
export function Shell() {
  const { t } = useTranslation();
  const { t: p } = useTranslation("provider");
  const host = useProviderHost();
  const navigate = useNavigate();
  const { session, signOut } = useSession();
  const info = useCall("StaffService/GetServerInfo", {}, { staleTime: 60_000 });
  const owner = useMay("ROLE_OWNER");
  const auditor = useMay("ROLE_AUDITOR");
  const reads = useMay("ROLE_VIEWER", "ROLE_OPERATOR");
  useEffect(
    () =>
      host.watchPlaces((link) => {
        const place = /^rollcall:\/\/([a-z-]+(?:\/[A-Za-z0-9_]+)?)\/?$/.exec(link)?.[1];
        if (place) void navigate({ to: `/${place}` as "/" });
      }),
    [host, navigate],
  );
  const places: Place[] = [
    { to: "/", label: p("place.dashboard"), icon: LayoutDashboard },
    { to: "/schools", label: p("place.schools"), icon: School },
    ...(reads
      ? [
          { to: "/students", label: p("place.students"), icon: GraduationCap },
          { to: "/imports", label: p("place.imports"), icon: FileUp },
        ]
      : []),
    { to: "/undelivered", label: p("place.undelivered"), icon: PackageX },
    { to: "/analytics", label: p("place.analytics"), icon: ChartLine },
    ...(owner ? [{ to: "/staff", label: p("place.staff"), icon: Users }] : []),
    ...(auditor ? [{ to: "/audit", label: p("place.audit"), icon: ScrollText }] : []),
  ];
  const { staff, server } = session;
  const account = (
    <Dropdown
      trigger={["click"]}
      menu={{
        items: [
          { key: "who", disabled: true, label: `${staff.username} · ${t(`role.${staff.role}` as "role.ROLE_OWNER")}` },
          { key: "out", label: t("act.signOut"), onClick: () => void signOut() },
        ],
      }}
    >
      <Button type="text" icon={<CircleUserRound size={16} aria-hidden />}>
        {staff.username}
      </Button>
    </Dropdown>
  );
  const status = (
    <>
      <LinkStatus target="provider" />
      <code>{server.address}</code>
      {info.data && <span>{t("frame.version", { version: info.data.version })}</span>}
    </>
  );
  return (
    <Frame
      name={p("name")}
      places={places}
      acts={[
        { label: p("act.registerSchool"), run: () => void navigate({ to: "/register-school" }) },
        { label: t("act.signOut"), run: () => void signOut() },
      ]}
      account={account}
      status={status}
    >
      <Outlet />
    </Frame>
  );
}
