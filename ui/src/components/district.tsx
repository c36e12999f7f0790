import { Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCall } from "@/api/hooks";
import type { District } from "@/gen/rollcall/provider/v1/school";

const KEY = "rollcall.district";

/** The district that the screens are about: the one chosen last, else the first in the account's scope. */
export function useDistrict() {
  const query = useCall("DistrictService/ListDistricts", {}, { staleTime: 60_000 });
  const [chosen, setChosen] = useState(() => localStorage.getItem(KEY));
  const districts = query.data?.districts ?? [];
  const district = districts.find(({ id }) => id === chosen) ?? districts[0];
  const choose = (id: string) => {
    localStorage.setItem(KEY, id);
    setChosen(id);
  };
  return { query, districts, district, choose };
}

/** Where there are several: which one. */
export function DistrictSelect({
  districts,
  value,
  onChange,
}: {
  districts: District[];
  value?: string;
  onChange: (id: string) => void;
}) {
  const { t } = useTranslation();
  if (districts.length < 2) return null;
  return (
    <Select
      aria-label={t("district.label")}
      className="min-w-44"
      value={value}
      onChange={onChange}
      options={districts.map(({ id, name }) => ({ value: id, label: name }))}
    />
  );
}

/** The schools of a district, by name; up to 500, which is every district that we know of. */
export function useSchools(district?: string) {
  const query = useCall(
    "SchoolService/ListSchools",
    { district: district ?? "", pageSize: 500 },
    { enabled: district !== undefined, staleTime: 30_000 },
  );
  const schools = query.data?.schools ?? [];
  const names = new Map(schools.map(({ sourcedId, name }) => [sourcedId, name]));
  return { query, schools, nameOf: (sourcedId: string) => names.get(sourcedId) ?? sourcedId };
}
