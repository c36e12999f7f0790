import { Select } from "antd";
import { CircleCheck } from "lucide-react";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { usePages } from "@/api/hooks";
import { useCauseWord } from "@/components/cause";
import { DataGrid, type GridHandle, type Sort } from "@/components/DataGrid";
import { useDistrict, useSchools } from "@/components/district";
import { formatCount, sum } from "@/components/format";
import { Page, Section } from "@/components/Page";
import { Empty, EmptyFilter, Loaded } from "@/components/states";
import { formatTime } from "@/components/time";
import type { UndeliveredGroup } from "@/gen/rollcall/provider/v1/log";
import { usePreferences } from "@/theme/preferences";
import { useColumns } from "./columns";
import { GroupPanel } from "./GroupPanel";
import { keyOf } from "./group";

const LOOK_MS = 15_000;

/** What could not be delivered, by cause and school: why, since when, and the ways out. */
export default function Undelivered() {
  const { t } = useTranslation("undelivered");
  const { zone } = usePreferences();
  const causeWord = useCauseWord();
  const grid = useRef<GridHandle>(null);
  const { districts } = useDistrict();
  const [district, setDistrict] = useState("");
  const [school, setSchool] = useState("");
  const [cause, setCause] = useState("");
  const [sort, setSort] = useState<Sort>({ column: "first", descending: false });
  const [open, setOpen] = useState<string | null>(null);
  const { schools } = useSchools(district);
  const query = usePages(
    "LogService/ListUndelivered",
    { district, school, pageSize: 500 },
    { refetchInterval: LOOK_MS, keep: true },
  );
  const columns = useColumns();
  const all = query.data?.pages.flatMap((page) => page.groups) ?? [];
  const wordOf = (one: UndeliveredGroup) => causeWord(one.cause, one.code, one.group?.reason);
  const causes = [...new Set(all.map(wordOf))].sort();
  const keys: Record<string, (one: UndeliveredGroup) => string | number> = {
    cause: wordOf,
    school: ({ schoolName }) => schoolName,
    messages: ({ messages }) => Number(messages),
    first: ({ firstAt }) => firstAt ?? "",
    last: ({ lastAt }) => lastAt ?? "",
  };
  const key = keys[sort.column] ?? wordOf;
  const groups = all
    .filter((one) => !cause || wordOf(one) === cause)
    .sort((a, b) => (key(a) === key(b) ? 0 : key(a) < key(b) ? -1 : 1) * (sort.descending ? -1 : 1));
  const opened = all.find((one) => keyOf(one) === open);
  const close = () => {
    setOpen(null);
    grid.current?.focus();
  };
  const clear = () => {
    setDistrict("");
    setSchool("");
    setCause("");
  };
  const filtered = district !== "" || school !== "" || cause !== "";
  const messages = sum(groups.map((one) => Number(one.messages)));
  return (
    <Page title={t("title")} fill>
      <search className="flex flex-wrap items-center gap-2">
        {districts.length > 1 && (
          <Select
            aria-label={t("filter.district")}
            className="min-w-48"
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
        <Select
          aria-label={t("filter.cause")}
          className="min-w-60"
          value={cause}
          onChange={setCause}
          options={[
            { value: "", label: t("filter.anyCause") },
            ...causes.map((word) => ({ value: word, label: word })),
          ]}
        />
      </search>
      <Section flush fill>
        <Loaded query={query}>
          {() => (
            <DataGrid<UndeliveredGroup>
              ref={grid}
              label={t("groups")}
              rows={groups}
              rowKey={keyOf}
              columns={columns}
              totalRows={query.hasNextPage ? -1 : undefined}
              sort={sort}
              onSort={setSort}
              openKey={open}
              onOpen={(one) => setOpen(keyOf(one))}
              copyText={({ sampleMessage }) => sampleMessage}
              onNearEnd={() => {
                if (query.hasNextPage && !query.isFetching) void query.fetchNextPage();
              }}
              empty={
                filtered ? (
                  <EmptyFilter text={t("emptyFilter")} onClear={clear} />
                ) : (
                  <Empty
                    icon={<CircleCheck size={28} strokeWidth={1.5} />}
                    text={t("empty", { time: formatTime(new Date(query.dataUpdatedAt), zone).slice(11) })}
                  />
                )
              }
            />
          )}
        </Loaded>
        <div role="status" className="border-0 border-t border-solid border-hairline px-4 py-1 text-label text-text-3">
          {query.data && t("summary", { messages: formatCount(messages), count: groups.length })}
        </div>
      </Section>
      {opened && <GroupPanel key={open} group={opened} onDone={close} onClose={close} />}
    </Page>
  );
}
