import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { type Column, DataGrid } from "@/components/DataGrid";
import { formatCount } from "@/components/format";
import { useTell } from "@/components/forms";
import { Section } from "@/components/Page";
import { Empty, Failure, Loaded } from "@/components/states";
import { Time } from "@/components/time";
import type { Message, UndeliveredGroup } from "@/gen/rollcall/provider/v1/log";
import { useMay } from "@/shell/session";
import { useGroupMessages } from "./useGroupMessages";

/** The messages of a group; one alone can be sent again. */
export function Messages({ group }: { group: UndeliveredGroup }) {
  const { t } = useTranslation("undelivered");
  const tell = useTell();
  const mayAct = useMay("ROLE_OPERATOR");
  const { query, messages, waits, more, attemptsError, retry } = useGroupMessages(group);
  const resend = useAct("LogService/ResendMessage", ["LogService"]);
  const columns: Column<Message>[] = [
    { id: "made", header: t("column.made"), width: "170px", cell: ({ createdAt }) => <Time at={createdAt} /> },
    { id: "event", header: t("column.event"), width: "144px", cell: ({ eventType }) => eventType },
    {
      id: "student",
      header: t("column.student"),
      width: "104px",
      cell: ({ studentSourcedId }) => <code>{studentSourcedId}</code>,
    },
    { id: "tries", header: t("column.tries"), width: "60px", align: "right", cell: ({ tries }) => tries },
    {
      id: "act",
      header: t("column.act"),
      width: "minmax(92px, 1fr)",
      align: "right",
      cell: ({ id }) =>
        mayAct && (
          <Button
            size="small"
            type="link"
            aria-label={t("act.resendOne", { id })}
            onClick={(event) => {
              event.stopPropagation();
              resend.mutate(
                { message: id },
                {
                  onSuccess: ({ queuedAsTry }) => tell.done(t("queuedAs", { number: queuedAsTry })),
                  onError: tell.failed,
                },
              );
            }}
          >
            {t("act.resend")}
          </Button>
        ),
    },
  ];
  return (
    <Section title={t("messages")} flush fill>
      {attemptsError ? (
        <Failure error={attemptsError} onRetry={() => void retry()} />
      ) : (
        <Loaded query={query}>
          {() => (
            <>
              <DataGrid<Message>
                label={t("messages")}
                rows={messages}
                rowKey={({ id }) => id}
                columns={columns}
                totalRows={query.hasNextPage ? -1 : undefined}
                copyText={({ id }) => id}
                onNearEnd={more}
                empty={waits || query.isFetching ? null : <Empty text={t("noMessages")} />}
              />
              <div
                role="status"
                className="border-0 border-t border-solid border-hairline px-3 py-1 text-label text-text-3"
              >
                {t("shown", { shown: formatCount(messages.length), all: formatCount(group.messages) })}
              </div>
            </>
          )}
        </Loaded>
      )}
    </Section>
  );
}
