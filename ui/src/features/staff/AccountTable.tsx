import { Button, Dropdown, Table, Tooltip } from "antd";
import { Ellipsis } from "lucide-react";
import { useTranslation } from "react-i18next";
import { PILL_ICONS, StatusPill } from "@/components/StatusPill";
import { Time } from "@/components/time";
import type { District } from "@/gen/rollcall/provider/v1/school";
import type { Staff } from "@/gen/rollcall/provider/v1/staff";
import { useSession } from "@/shell/session";
import { useAccountActs } from "./useAccountActs";

interface AccountTableProps {
  accounts: Staff[];
  districts: District[];
  /** The only owner who may sign in. */
  lastOwner: string | undefined;
  onChange: (account: Staff) => void;
  onReset: (account: Staff) => void;
}

export function AccountTable({ accounts, districts, lastOwner, onChange, onReset }: AccountTableProps) {
  const { t } = useTranslation("staff");
  const { t: common } = useTranslation();
  const me = useSession().session.staff.id;
  const districtName = (id: string) => districts.find((district) => district.id === id)?.name ?? id;
  return (
    <Table<Staff>
      aria-label={t("title")}
      size="middle"
      pagination={{ pageSize: 100, hideOnSinglePage: true }}
      scroll={{ x: 860 }}
      rowKey="id"
      dataSource={accounts}
      columns={[
        {
          title: t("column.username"),
          render: (_, { id, username }) => (
            <span>
              <span className="font-medium">{username}</span>
              {id === me && <span className="text-text-3"> ({t("you")})</span>}
            </span>
          ),
        },
        {
          title: t("column.role"),
          render: (_, { id, role }) => (
            <span>
              {common(`role.${role}`)}
              {id === lastOwner && (
                <Tooltip title={t("lastOwnerWhy")}>
                  <span className="text-text-3"> ({t("lastOwner")})</span>
                </Tooltip>
              )}
            </span>
          ),
        },
        {
          title: t("column.districts"),
          render: (_, { role, districtIds }) =>
            role === "ROLE_OWNER" ? t("all") : districtIds.map(districtName).join(", "),
        },
        {
          title: t("column.state"),
          render: (_, { disabled }) =>
            disabled ? (
              <StatusPill tone="paused" icon={PILL_ICONS.off} word={t("state.disabled")} />
            ) : (
              <StatusPill tone="delivered" word={t("state.enabled")} />
            ),
        },
        { title: t("column.last"), render: (_, { lastLoginAt }) => <Time at={lastLoginAt} /> },
        { title: t("column.created"), render: (_, { createdAt }) => <Time at={createdAt} /> },
        {
          title: <span className="sr-only">{t("column.acts")}</span>,
          align: "right",
          render: (_, account) => (
            <Acts account={account} isLastOwner={account.id === lastOwner} onChange={onChange} onReset={onReset} />
          ),
        },
      ]}
    />
  );
}

interface ActsProps extends Pick<AccountTableProps, "onChange" | "onReset"> {
  account: Staff;
  isLastOwner: boolean;
}

function Acts({ account, isLastOwner, onChange, onReset }: ActsProps) {
  const { t } = useTranslation("staff");
  const { setDisabled, endSessions } = useAccountActs(account);
  const why = isLastOwner ? t("lastOwnerWhy") : undefined;
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        items: [
          {
            key: "change",
            label: t("act.change"),
            disabled: isLastOwner,
            title: why,
            onClick: () => onChange(account),
          },
          { key: "reset", label: t("reset.act"), onClick: () => onReset(account) },
          { key: "sessions", label: t("act.sessions"), onClick: endSessions },
          account.disabled
            ? { key: "enable", label: t("act.enable"), onClick: () => setDisabled(false) }
            : {
                key: "disable",
                label: <span className="text-failed">{t("act.disable")}</span>,
                danger: true,
                disabled: isLastOwner,
                title: why,
                onClick: () => setDisabled(true),
              },
        ],
      }}
    >
      <Button
        type="text"
        size="small"
        aria-label={t("act.menu", { name: account.username })}
        icon={<Ellipsis size={16} aria-hidden />}
      />
    </Dropdown>
  );
}
