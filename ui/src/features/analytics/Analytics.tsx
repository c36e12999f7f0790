import { Segmented, Select } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useDistrict, useSchools } from "@/components/district";
import { Page } from "@/components/Page";
import { AllSchools } from "./AllSchools";
import { RANGES, type Range } from "./figures";
import { OneSchool } from "./OneSchool";

const MINUTE_MS = 60_000;

/** How well messages arrive: all schools together for a day, or one school over a longer time. */
export default function Analytics() {
  const { t } = useTranslation("analytics");
  const { districts } = useDistrict();
  const [district, setDistrict] = useState("");
  const [school, setSchool] = useState("");
  const [range, setRange] = useState<Range>("day");
  const { schools } = useSchools(district);
  const now = useMinute();
  const chosen = schools.find(({ id }) => id === school);
  return (
    <Page
      title={t("title")}
      actions={
        <>
          {districts.length > 1 && (
            <Select
              aria-label={t("filter.district")}
              className="min-w-44"
              value={district}
              onChange={(to) => {
                setDistrict(to);
                setSchool("");
              }}
              options={[
                { value: "", label: t("filter.anyDistrict") },
                ...districts.map(({ id, name }) => ({ value: id, label: name })),
              ]}
            />
          )}
          <Select
            aria-label={t("filter.school")}
            className="min-w-52"
            showSearch={{ optionFilterProp: "label" }}
            value={school}
            onChange={setSchool}
            options={[
              { value: "", label: t("filter.anySchool") },
              ...schools.map(({ id, name }) => ({ value: id, label: name })),
            ]}
          />
          <Segmented<Range>
            aria-label={t("filter.range")}
            value={chosen ? range : "day"}
            onChange={setRange}
            options={(Object.keys(RANGES) as Range[]).map((value) => ({
              value,
              label: t(`range.${value}`),
              // The overview of all schools is of a day.
              disabled: !chosen && value !== "day",
            }))}
          />
        </>
      }
    >
      {chosen ? (
        <OneSchool
          key={`${school} ${range}`}
          school={chosen}
          since={new Date(now - RANGES[range]).toISOString()}
          until={new Date(now).toISOString()}
        />
      ) : (
        <AllSchools district={district} schools={schools} />
      )}
    </Page>
  );
}

/** The present minute's end; requests stay the same within it. */
function useMinute(): number {
  const [at, setAt] = useState(() => Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS);
  useEffect(() => {
    const timer = setInterval(() => setAt(Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS), MINUTE_MS);
    return () => clearInterval(timer);
  }, []);
  return at;
}
