import { Table, Tooltip } from "antd";
import { useTranslation } from "react-i18next";
import { StatusPill } from "@/components/StatusPill";
import { formatRelative, Time } from "@/components/time";
import type { SecretInfo } from "@/gen/rollcall/provider/v1/school";
import { oldKeyVerdict } from "./oldKey";

const TONES = { pending: "queued", active: "delivered", retiring: "retrying" } as const;
const isShown = (state: string): state is keyof typeof TONES => state in TONES;

/** Live secrets by their six words. The secrets themselves are nowhere. */
export function SecretList({ secrets }: { secrets: SecretInfo[] }) {
  const { t } = useTranslation("schools");
  if (secrets.length === 0) return <p className="m-0 text-text-2">{t("secrets.none")}</p>;
  return (
    <div className="flex flex-col gap-3">
      <Table<SecretInfo>
        aria-label={t("secrets.title")}
        size="small"
        pagination={false}
        scroll={{ x: 820 }}
        rowKey="id"
        dataSource={secrets}
        columns={[
          {
            title: t("secrets.fingerprint"),
            render: (_, { fingerprint }) => <code className="whitespace-nowrap">{fingerprint}</code>,
          },
          {
            title: t("secrets.stateColumn"),
            render: (_, { state }) =>
              isShown(state) ? <StatusPill tone={TONES[state]} word={t(`secrets.state.${state}`)} /> : state,
          },
          { title: t("secrets.created"), render: (_, { createdAt }) => <Time at={createdAt} /> },
          { title: t("secrets.verified"), render: (_, { lastVerifiedAt }) => <Verified at={lastVerifiedAt} /> },
          {
            title: t("secrets.expires"),
            render: (_, { expiresAt }) => (expiresAt ? <Time at={expiresAt} /> : t("secrets.never")),
          },
        ]}
      />
      <OldKey secrets={secrets} />
    </div>
  );
}

function Verified({ at }: { at: string | undefined }) {
  const { t } = useTranslation("schools");
  if (at) return <Time at={at} />;
  return (
    <Tooltip title={t("secrets.unknownWhy")}>
      <span className="text-text-3">{t("secrets.unknown")}</span>
    </Tooltip>
  );
}

/** During an overlap: whether somebody still needs the old key. */
function OldKey({ secrets }: { secrets: SecretInfo[] }) {
  const { t } = useTranslation("schools");
  const verdict = oldKeyVerdict(secrets, Date.now());
  if (!verdict) return null;
  const ago = verdict.neededAt ? formatRelative(verdict.neededAt, Date.now()) : "";
  const words = {
    safe: t("secrets.oldSafe", { ago }),
    needed: t("secrets.oldNeeded", { ago }),
    unknown: t("secrets.oldUnknown"),
  };
  return <p className="m-0 text-text-2">{words[verdict.verdict]}</p>;
}
