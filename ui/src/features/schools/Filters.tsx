import { Input } from "antd";
import { Search } from "lucide-react";
import { useTranslation } from "react-i18next";
import { WORST_FIRST } from "@/components/connection";
import { NamedSelect } from "@/components/NamedSelect";
import type { ConnectionState, District } from "@/gen/rollcall/provider/v1/school";
import { type Listed, stateOf } from "./useSchools";

export interface Filter {
  text: string;
  state: "" | "problems" | ConnectionState;
  district: string;
}

export const NO_FILTER: Filter = { text: "", state: "", district: "" };

const FINE = new Set<ConnectionState>([
  "CONNECTION_STATE_ACTIVE",
  "CONNECTION_STATE_ENROLLING",
  "CONNECTION_STATE_NOT_CONNECTED",
  "CONNECTION_STATE_PAUSED",
]);

const isProblem = (one: Listed) => !FINE.has(stateOf(one)) || Number(one.school.figures?.parked ?? 0) > 0;

export function matches(one: Listed, { text, state, district }: Filter): boolean {
  const wanted = text.trim().toLowerCase();
  const { name, sourcedId, id, districtId } = one.school;
  if (wanted && ![name, sourcedId, id, one.urlHost].some((part) => part.toLowerCase().includes(wanted))) return false;
  if (district && districtId !== district) return false;
  if (state === "problems") return isProblem(one);
  return state === "" || stateOf(one) === state;
}

interface FiltersProps {
  filter: Filter;
  onChange: (filter: Filter) => void;
  districts: District[];
}

export function Filters({ filter, onChange, districts }: FiltersProps) {
  const { t } = useTranslation("schools");
  const { t: common } = useTranslation();
  const states = WORST_FIRST.filter((state) => state !== "CONNECTION_STATE_UNSPECIFIED");
  return (
    <>
      <Input
        data-filter
        allowClear
        aria-label={t("filter.text")}
        placeholder={t("filter.text")}
        prefix={<Search size={14} aria-hidden />}
        className="!w-64"
        value={filter.text}
        onChange={(event) => onChange({ ...filter, text: event.target.value })}
      />
      <NamedSelect
        label={t("filter.state")}
        className="min-w-40"
        value={filter.state}
        onChange={(state) => onChange({ ...filter, state })}
        options={[
          { value: "", label: t("filter.allStates") },
          { value: "problems", label: t("filter.problems") },
          ...states.map((state) => ({ value: state, label: common(`connection.${state}`) })),
        ]}
      />
      {districts.length > 1 && (
        <NamedSelect
          label={t("filter.district")}
          className="min-w-44"
          value={filter.district}
          onChange={(district) => onChange({ ...filter, district })}
          options={[
            { value: "", label: t("filter.allDistricts") },
            ...districts.map(({ id, name }) => ({ value: id, label: name })),
          ]}
        />
      )}
    </>
  );
}
