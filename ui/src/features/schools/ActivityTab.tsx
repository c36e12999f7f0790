import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { usePages } from "@/api/hooks";
import { AuditTable } from "@/components/AuditTable";
import { formatCount } from "@/components/format";
import { Section } from "@/components/Page";
import { Empty, Loaded } from "@/components/states";
import type { School } from "@/gen/rollcall/provider/v1/school";

/** Acts on this school, out of its district's audit log. */
export function ActivityTab({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const pages = usePages("AuditService/ListAudit", { district: school.districtId, pageSize: 500 });
  const searched = pages.data?.pages.reduce((sum, page) => sum + page.entries.length, 0) ?? 0;
  return (
    <Section
      flush
      title={t("activity.title")}
      actions={
        <>
          <span className="text-text-3">{t("activity.searched", { total: formatCount(searched) })}</span>
          {pages.hasNextPage && (
            <Button size="small" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
              {t("activity.search")}
            </Button>
          )}
        </>
      }
    >
      <Loaded query={pages}>
        {(data) => {
          const own = data.pages.flatMap((page) => page.entries).filter(({ subject }) => subject === school.id);
          return own.length === 0 ? (
            <Empty text={t("activity.empty")} />
          ) : (
            <AuditTable label={t("activity.title")} entries={own} subjects={false} />
          );
        }}
      </Loaded>
    </Section>
  );
}
