import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { formatCount } from "@/components/format";
import { LinkStatus } from "@/components/frame";
import { Section } from "@/components/Page";
import { formatDuration } from "@/components/time";
import type { Overview } from "@/gen/rollcall/provider/v1/log";
import { useSession } from "@/shell/session";

/** A difference of clocks that people need not know of: the way to the server is in it. */
const FITS_MS = 5_000;
const OFF = new Set(["CONNECTION_STATE_NOT_CONNECTED", "CONNECTION_STATE_ENROLLING"]);

/** The server behind all this, in one row. */
export function System({ overview }: { overview: Overview }) {
  const { t } = useTranslation("dashboard");
  const { server } = useSession().session;
  const info = useCall("StaffService/GetServerInfo", {}, { staleTime: 60_000 });
  const connected = overview.schools.filter(({ state }) => !OFF.has(state)).length;
  const off = info.data?.now ? Math.abs(new Date(info.data.now).getTime() - info.dataUpdatedAt) : 0;
  const facts: [string, React.ReactNode][] = [
    [
      t("system.server"),
      <>
        <code>{server.address}</code> {info.data && t("system.version", { version: info.data.version })}
      </>,
    ],
    [t("system.link"), <LinkStatus key="link" target="provider" />],
    [
      t("system.clock"),
      off <= FITS_MS ? t("system.clockFits") : t("system.clockOff", { difference: formatDuration(off) }),
    ],
    [t("system.schools"), t("system.connected", { connected, total: overview.schoolsTotal })],
    [t("system.waiting"), formatCount(Number(overview.pending) + Number(overview.parked) + Number(overview.held))],
  ];
  return (
    <Section title={t("system.title")}>
      <dl className="m-0 flex flex-wrap gap-x-8 gap-y-3">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt className="text-label text-text-3">{name}</dt>
            <dd className="m-0 tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}
