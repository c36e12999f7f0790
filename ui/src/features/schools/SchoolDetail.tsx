import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Alert, Button, Tabs } from "antd";
import { ArrowLeft } from "lucide-react";
import { useTranslation } from "react-i18next";
import { ConnectionPill } from "@/components/connection";
import { useTell } from "@/components/forms";
import { Page } from "@/components/Page";
import { Empty, Loaded } from "@/components/states";
import { Time } from "@/components/time";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { useProviderHost } from "@/shell/context";
import { useMay } from "@/shell/session";
import { ActivityTab } from "./ActivityTab";
import { DeliveriesTab } from "./DeliveriesTab";
import { OverviewTab } from "./OverviewTab";
import { PauseButton } from "./PauseButton";
import { SecretsTab } from "./SecretsTab";
import { SettingsTab } from "./SettingsTab";
import { useListed, useSchool } from "./useSchool";
import { stateOf } from "./useSchools";

/** One school and everything about its connection. */
export default function SchoolDetail() {
  const { t } = useTranslation("schools");
  const { school: id } = useParams({ from: "/framed/schools/$school" });
  const school = useSchool(id);
  const back = (
    <Link to="/schools" className="inline-flex items-center gap-1 text-accent-text">
      <ArrowLeft size={14} aria-hidden />
      {t("detail.back")}
    </Link>
  );
  if (!school.data && school.error?.code === "not_found") {
    return (
      <Page title={t("title")} back={back}>
        <Empty text={t("detail.notFound")} />
      </Page>
    );
  }
  if (!school.data) {
    return (
      <Page title={t("title")} back={back}>
        <Loaded query={school}>{() => null}</Loaded>
      </Page>
    );
  }
  return (
    <Page
      title={school.data.name}
      back={back}
      extra={<ConnectionPill state={stateOf({ connection: school.data.connection || undefined })} />}
      actions={<Actions school={school.data} />}
    >
      <Loaded query={school}>{(data) => <Parts school={data} />}</Loaded>
    </Page>
  );
}

function Actions({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const host = useProviderHost();
  const tell = useTell();
  const of = useListed(school);
  return (
    <>
      <PauseButton of={of} />
      <Button type="primary" onClick={() => void host.openLogWindow(school.id, school.name).catch(tell.failed)}>
        {t("deliveries.log")}
      </Button>
    </>
  );
}

const TABS = ["overview", "deliveries", "secrets", "settings", "activity"] as const;

function Parts({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const navigate = useNavigate();
  const { tab = "overview" } = useSearch({ from: "/framed/schools/$school" });
  const auditor = useMay("ROLE_AUDITOR");
  const views = {
    overview: <OverviewTab school={school} />,
    deliveries: <DeliveriesTab school={school} />,
    secrets: <SecretsTab school={school} />,
    settings: <SettingsTab school={school} />,
    activity: <ActivityTab school={school} />,
  };
  return (
    <>
      <Reason school={school} />
      <Tabs
        aria-label={t("detail.tabs")}
        activeKey={TABS.find((known) => known === tab) ?? "overview"}
        onChange={(to) =>
          void navigate({ to: "/schools/$school", params: { school: school.id }, search: { tab: to }, replace: true })
        }
        destroyOnHidden
        items={TABS.filter((known) => known !== "activity" || auditor).map((known) => ({
          key: known,
          label: t(`detail.${known}`),
          children: views[known],
        }))}
      />
    </>
  );
}

const BAD = new Set(["CONNECTION_STATE_DOWN", "CONNECTION_STATE_REVOKED", "CONNECTION_STATE_COMPROMISED"]);

/** Why nothing, or not everything, goes out. */
function Reason({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const connection = school.connection || undefined;
  if (!connection?.reason) return null;
  return (
    <Alert
      type={BAD.has(connection.state) ? "error" : "warning"}
      showIcon
      title={
        <span className="flex flex-wrap gap-x-3">
          {connection.reason}
          {connection.nextAttemptAt && (
            <span className="text-text-2">
              {t("overview.next")}: <Time at={connection.nextAttemptAt} /> (
              <Time at={connection.nextAttemptAt} relative />)
            </span>
          )}
        </span>
      }
    />
  );
}
