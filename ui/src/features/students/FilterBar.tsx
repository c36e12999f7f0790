import { Button, Input, Select } from "antd";
import { Search } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { GRADES } from "./student";
import { type Filters, NO_FILTERS } from "./useStudents";

/** Search and filters above the students. */
export function FilterBar({
  filters,
  filtered,
  schools,
  onChange,
}: {
  filters: Filters;
  filtered: boolean;
  schools: School[];
  onChange: (filters: Filters) => void;
}) {
  const { t } = useTranslation("students");
  const { t: common } = useTranslation();
  const set = (change: Partial<Filters>) => onChange({ ...filters, ...change });
  return (
    <search className="flex flex-wrap items-center gap-2">
      <Input
        data-filter
        allowClear
        aria-label={t("filter.search")}
        placeholder={t("filter.searchHint")}
        prefix={<Search size={14} aria-hidden className="text-text-3" />}
        className="w-72"
        value={filters.search}
        onChange={(event) => set({ search: event.target.value })}
      />
      <Select
        mode="multiple"
        allowClear
        aria-label={t("filter.grades")}
        placeholder={t("filter.grades")}
        className="min-w-32"
        maxTagCount={3}
        value={filters.grades}
        onChange={(grades) => set({ grades })}
        options={GRADES.map((grade) => ({ value: grade, label: grade }))}
      />
      <Select
        showSearch={{ optionFilterProp: "label" }}
        aria-label={t("filter.school")}
        className="min-w-52"
        value={filters.school}
        onChange={(school) => set({ school })}
        options={[
          { value: "", label: t("filter.anySchool") },
          ...schools.map(({ sourcedId, name }) => ({ value: sourcedId, label: name })),
        ]}
      />
      <Select
        aria-label={t("filter.status")}
        className="min-w-44"
        value={filters.shown}
        onChange={(shown) => set({ shown })}
        options={(["active", "deleted", "all"] as const).map((value) => ({ value, label: t(`shown.${value}`) }))}
      />
      {filtered && (
        <Button type="text" onClick={() => onChange(NO_FILTERS)}>
          {common("act.clearFilters")}
        </Button>
      )}
    </search>
  );
}
