import { Button, Input } from "antd";
import { Search } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { Page, Section } from "@/components/Page";
import { Empty, EmptyFilter, Failure, Loaded } from "@/components/states";
import type { Staff as Account } from "@/gen/rollcall/provider/v1/staff";
import type { ShellFailure } from "@/shell/host";
import { useMay } from "@/shell/session";
import { AccountTable } from "./AccountTable";
import { CreateDialog } from "./CreateDialog";
import { PasswordDialog } from "./PasswordDialog";
import { RoleDialog } from "./RoleDialog";

/** Who may sign in, and what they may do. For owners. */
export default function Staff() {
  const { t } = useTranslation("staff");
  const may = useMay("ROLE_OWNER");
  const denied: ShellFailure = { code: "permission_denied", message: t("needs"), violations: [] };
  if (may) return <Accounts />;
  return (
    <Page title={t("title")}>
      <Failure error={denied} />
    </Page>
  );
}

function Accounts() {
  const { t } = useTranslation("staff");
  const list = useCall("StaffService/ListStaff", {});
  const districts = useCall("DistrictService/ListDistricts", {}, { staleTime: 60_000 }).data?.districts ?? [];
  const [text, setText] = useState("");
  const [creating, setCreating] = useState(false);
  const [changing, setChanging] = useState<Account | null>(null);
  const [resetting, setResetting] = useState<Account | null>(null);
  return (
    <Page
      title={t("title")}
      actions={
        <Button type="primary" onClick={() => setCreating(true)}>
          {t("create")}
        </Button>
      }
    >
      <Input
        data-filter
        allowClear
        aria-label={t("filter")}
        placeholder={t("filter")}
        prefix={<Search size={14} aria-hidden />}
        className="!w-64"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Section flush>
        <Loaded query={list} isEmpty={({ staff }) => staff.length === 0} empty={<Empty text={t("empty")} />}>
          {({ staff }) => {
            const shown = staff.filter(({ username }) => username.includes(text.trim().toLowerCase()));
            const owners = staff.filter(({ role, disabled }) => role === "ROLE_OWNER" && !disabled);
            if (shown.length === 0) return <EmptyFilter text={t("emptyFilter")} onClear={() => setText("")} />;
            return (
              <AccountTable
                accounts={shown}
                districts={districts}
                lastOwner={owners.length === 1 ? owners[0]?.id : undefined}
                onChange={setChanging}
                onReset={setResetting}
              />
            );
          }}
        </Loaded>
      </Section>
      <CreateDialog open={creating} districts={districts} onClose={() => setCreating(false)} />
      <RoleDialog key={changing?.id} account={changing} districts={districts} onClose={() => setChanging(null)} />
      <PasswordDialog account={resetting} onClose={() => setResetting(null)} />
    </Page>
  );
}
