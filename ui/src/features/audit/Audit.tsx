import { Input } from "antd";
import { Search } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCall, usePages } from "@/api/hooks";
import { AuditTable } from "@/components/AuditTable";
import { formatCount } from "@/components/format";
import { NamedSelect } from "@/components/NamedSelect";
import { Page, Section } from "@/components/Page";
import { Empty, EmptyFilter, Failure, Loaded } from "@/components/states";
import type { AuditEntry } from "@/gen/rollcall/provider/v1/log";
import type { ShellFailure } from "@/shell/host";
import { useMay } from "@/shell/session";
import { Verify } from "./Verify";

const INSTALLATION = "";

/** Every act that was written down, chain by chain. */
export default function Audit() {
  const { t } = useTranslation("audit");
  const may = useMay("ROLE_AUDITOR");
  const denied: ShellFailure = { code: "permission_denied", message: t("needs"), violations: [] };
  return (
    <Page title={t("title")} fill actions={may && <Verify />}>
      {may ? <Chains /> : <Failure error={denied} />}
    </Page>
  );
}

/** An owner reads the installation's chain too; an auditor those of their districts. */
function Chains() {
  const { t } = useTranslation("audit");
  const owner = useMay("ROLE_OWNER");
  const districts = useCall("DistrictService/ListDistricts", {}, { staleTime: 60_000 });
  const [chosen, setChosen] = useState<string | null>(null);
  return (
    <Loaded query={districts}>
      {(data) => {
        const chains = [
          ...(owner ? [{ value: INSTALLATION, label: t("installation") }] : []),
          ...data.districts.map(({ id, name }) => ({ value: id, label: name })),
        ];
        const chain = chosen ?? chains[0]?.value;
        if (chain === undefined) return <Empty text={t("noDistrict")} />;
        return (
          <Chain
            key={chain}
            chain={chain}
            choice={
              <NamedSelect
                label={t("chain")}
                className="min-w-52"
                value={chain}
                onChange={setChosen}
                options={chains}
              />
            }
          />
        );
      }}
    </Loaded>
  );
}

const has = (entry: AuditEntry, wanted: string) =>
  [entry.actor, entry.act, entry.subject, entry.detail].some((part) => part.toLowerCase().includes(wanted));

function Chain({ chain, choice }: { chain: string; choice: React.ReactNode }) {
  const { t } = useTranslation("audit");
  const [text, setText] = useState("");
  const pages = usePages("AuditService/ListAudit", { district: chain, pageSize: 200 });
  const entries = pages.data?.pages.flatMap((page) => page.entries) ?? [];
  const wanted = text.trim().toLowerCase();
  const shown = wanted ? entries.filter((entry) => has(entry, wanted)) : entries;
  const nearEnd = () => {
    if (pages.hasNextPage && !pages.isFetchingNextPage) void pages.fetchNextPage();
  };
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        {choice}
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
        <span role="status" className="text-text-3 tabular-nums">
          {t("loaded", { total: formatCount(entries.length) })}
        </span>
      </div>
      <Section flush fill>
        <Loaded query={pages} isEmpty={() => entries.length === 0} empty={<Empty text={t("empty")} />}>
          {() => (
            <AuditTable
              label={t("title")}
              entries={shown}
              onNearEnd={nearEnd}
              empty={<EmptyFilter text={t("emptyFilter")} onClear={() => setText("")} />}
            />
          )}
        </Loaded>
      </Section>
    </>
  );
}
