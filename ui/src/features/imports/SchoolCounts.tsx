import { Table } from "antd";
import { useTranslation } from "react-i18next";
import { Figure, Section } from "@/components/Page";
import type { ImportRun, ImportSchoolCounts } from "@/gen/rollcall/provider/v1/import";

const KINDS = ["created", "updated", "deleted", "unchanged"] as const;
const number = (text: string) => Number(text).toLocaleString("en");

/** What a run would do, or did: in all and per school. */
export function SchoolCounts({ run }: { run: ImportRun }) {
  const { t } = useTranslation("imports");
  const { counts, schools } = run;
  if (!counts) return null;
  return (
    <>
      <div className="grid grid-cols-2 gap-3 md:grid-cols-4">
        {KINDS.map((kind) => (
          <Figure key={kind} name={t(`count.${kind}`)} value={number(counts[kind])} />
        ))}
      </div>
      {Number(counts.schoolsCreated) > 0 && (
        <p className="m-0 text-text-2">{t("schoolsCreated", { count: Number(counts.schoolsCreated) })}</p>
      )}
      <Section title={t("perSchool")} flush>
        <Table<ImportSchoolCounts>
          size="small"
          rowKey="schoolSourcedId"
          dataSource={schools}
          pagination={schools.length > 50 ? { pageSize: 50, showSizeChanger: false } : false}
          scroll={{ x: 640 }}
          locale={{ emptyText: t("noSchools") }}
          columns={[
            {
              title: t("column.school"),
              dataIndex: "schoolName",
              render: (name: string, { schoolSourcedId }) => (
                <>
                  {name} <code className="text-text-3">{schoolSourcedId}</code>
                </>
              ),
            },
            ...KINDS.map((kind) => ({
              title: t(`count.${kind}`),
              dataIndex: kind,
              align: "right" as const,
              className: "tabular-nums",
              render: (count: string) => (count === "0" ? <span className="text-text-3">0</span> : number(count)),
              sorter: (a: ImportSchoolCounts, b: ImportSchoolCounts) => Number(a[kind]) - Number(b[kind]),
            })),
          ]}
        />
      </Section>
    </>
  );
}
