import { useNavigate } from "@tanstack/react-router";
import { Button, Segmented, Skeleton } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import { Page, Section } from "@/components/Page";
import { Empty, EmptyFilter, Loaded } from "@/components/states";
import { useMay } from "@/shell/session";
import { setPreferences, usePreferences } from "@/theme/preferences";
import { type Filter, Filters, matches, NO_FILTER } from "./Filters";
import { SchoolCards } from "./SchoolCards";
import { SchoolTable } from "./SchoolTable";
import { type Listed, useSchools } from "./useSchools";

/** Every school in scope, the worst first. */
export default function Schools() {
  const { t } = useTranslation("schools");
  const { schoolsAs } = usePreferences();
  const navigate = useNavigate();
  const schools = useSchools();
  const districts = useCall("DistrictService/ListDistricts", {}, { staleTime: 60_000 }).data?.districts ?? [];
  const [filter, setFilter] = useState<Filter>(NO_FILTER);
  const mayRegister = useMay("ROLE_OPERATOR");
  const register = mayRegister && (
    <Button type="primary" onClick={() => void navigate({ to: "/register-school" })}>
      {t("register")}
    </Button>
  );
  return (
    <Page title={t("title")} actions={register} fill={schoolsAs === "table"}>
      <Loaded
        query={schools}
        skeleton={<CardsSkeleton />}
        isEmpty={(all) => all.length === 0}
        empty={<Empty text={t("empty")} action={register} />}
      >
        {(all) => {
          const shown = all.filter((one) => matches(one, filter));
          return (
            <>
              <div className="flex flex-wrap items-center gap-2">
                <Filters filter={filter} onChange={setFilter} districts={districts} />
                <span role="status" className="text-text-3 tabular-nums">
                  {t("count", { count: shown.length })}
                </span>
                <Segmented
                  aria-label={t("view.label")}
                  className="ml-auto"
                  value={schoolsAs}
                  onChange={(as) => setPreferences({ schoolsAs: as as "cards" | "table" })}
                  options={[
                    { value: "cards", label: t("view.cards") },
                    { value: "table", label: t("view.table") },
                  ]}
                />
              </div>
              <Shown schools={shown} onClear={() => setFilter(NO_FILTER)} as={schoolsAs} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Shown({ schools, onClear, as }: { schools: Listed[]; onClear: () => void; as: "cards" | "table" }) {
  const { t } = useTranslation("schools");
  const empty = <EmptyFilter text={t("emptyFilter")} onClear={onClear} />;
  if (as === "cards") return schools.length === 0 ? empty : <SchoolCards schools={schools} />;
  return (
    <Section flush fill>
      <SchoolTable schools={schools} empty={empty} />
    </Section>
  );
}

function CardsSkeleton() {
  return (
    <div className="grid grid-cols-[repeat(auto-fill,minmax(320px,1fr))] gap-4">
      {["a", "b", "c", "d", "e", "f"].map((card) => (
        <Skeleton.Node key={card} active className="!h-56 !w-full" />
      ))}
    </div>
  );
}
