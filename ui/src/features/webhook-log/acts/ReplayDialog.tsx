import { useQuery } from "@tanstack/react-query";
import { Alert, Button, Modal, Select } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { call } from "@/api/hooks";
import { TypedConfirm, useDialogFocus } from "@/components/forms";
import { Failure, ListSkeleton } from "@/components/states";
import { useHost } from "@/shell/context";
import type { ShellFailure } from "@/shell/host";
import { ReplayPreview } from "./ReplayPreview";
import { ReplayProgress } from "./ReplayProgress";
import { useReplay } from "./useReplay";

const HOUR = 3_600_000;
const SINCE = { any: 0, hour: HOUR, day: 24 * HOUR, week: 168 * HOUR };
type Since = keyof typeof SINCE;
const SINCE_WORD = {
  any: "replay.sinceAny",
  hour: "replay.sinceHour",
  day: "replay.sinceDay",
  week: "replay.sinceWeek",
} as const;
/** More than this asks for the school's name. */
const CONFIRM_ABOVE = 1_000;

/** Sends again what the filter matches: counted exactly first, looked at, then queued and followed. */
export function ReplayDialog({
  school,
  schoolName,
  filter,
  open,
  cursor,
  onClose,
}: {
  school: string;
  schoolName: string;
  filter: string;
  open: boolean;
  cursor: () => number | null;
  onClose: () => void;
}) {
  const { t } = useTranslation("webhookLog");
  const { t: c } = useTranslation();
  const host = useHost();
  const [since, setSince] = useState<Since>("any");
  const [asking, setAsking] = useState(false);
  const [from, setFrom] = useState<string | undefined>();
  const { first: cancel, afterOpenChange } = useDialogFocus();
  const replay = useReplay(school, cursor);
  // The time stands still while the dialog is open: what was counted is what is sent.
  useEffect(
    () => setFrom(since === "any" ? undefined : new Date(Date.now() - SINCE[since]).toISOString()),
    [since, open],
  );
  useEffect(() => {
    if (!open) replay.forget();
  }, [open]);
  const enough = filter !== "" || from !== undefined;
  const count = useQuery<{ messages: number; refused: number }, ShellFailure>({
    queryKey: ["LogService/Replay", school, filter, from],
    queryFn: async () => {
      const counted = await call(host, "LogService/Replay", { school, filter, since: from, dryRun: true });
      return { messages: Number(counted.messages), refused: Number(counted.refused) };
    },
    enabled: open && enough && !replay.queued,
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  const messages = count.data?.messages ?? 0;
  const go = () => {
    setAsking(false);
    void replay.run(filter, from);
  };
  const waits = replay.queued && !replay.cancelled && replay.queued.done < replay.queued.messages;
  const footer = replay.queued ? (
    <>
      {waits && (
        <Button danger loading={replay.busy} onClick={() => void replay.cancel()}>
          {t("replay.cancel")}
        </Button>
      )}
      <Button onClick={onClose}>{c("act.close")}</Button>
    </>
  ) : (
    <>
      <Button ref={cancel} onClick={onClose}>
        {c("act.cancel")}
      </Button>
      <Button
        type="primary"
        disabled={messages === 0 || count.isFetching}
        loading={replay.busy}
        onClick={() => (messages > CONFIRM_ABOVE ? setAsking(true) : go())}
      >
        {t("replay.act", { count: messages })}
      </Button>
    </>
  );
  return (
    <>
      <Modal
        open={open && !asking}
        title={t("replay.title")}
        onCancel={onClose}
        afterOpenChange={afterOpenChange}
        footer={footer}
        width={640}
        destroyOnHidden
      >
        <div className="flex flex-col gap-3">
          <div>
            {t("replay.what")} <code>{filter || t("replay.noFilter")}</code>, {t("replay.since")}{" "}
            <Select<Since>
              size="small"
              aria-label={t("replay.since")}
              value={since}
              disabled={!!replay.queued}
              onChange={setSince}
              options={(Object.keys(SINCE) as Since[]).map((value) => ({ value, label: t(SINCE_WORD[value]) }))}
            />
          </div>
          {!enough && <Alert type="info" title={t("replay.needsSomething")} />}
          {replay.queued ? (
            <ReplayProgress queued={replay.queued} cancelled={replay.cancelled} />
          ) : (
            <>
              {enough && count.isPending && <p className="m-0 text-text-3">{t("replay.counting")}</p>}
              {count.error && <Failure error={count.error} onRetry={() => void count.refetch()} />}
              {count.data && (
                <div role="status" className="flex flex-col gap-1">
                  <strong className="text-section">
                    {messages > 0 ? t("replay.count", { count: messages }) : t("replay.none")}
                  </strong>
                  {count.data.refused > 0 && (
                    <span className="text-text-2">{t("replay.refused", { count: count.data.refused })}</span>
                  )}
                  {messages > 0 && <span className="text-text-3">{t("replay.keepsOrder")}</span>}
                </div>
              )}
              {count.isFetching && !count.data && <ListSkeleton rows={4} />}
              {messages > 0 && <ReplayPreview school={school} filter={filter} from={from} />}
            </>
          )}
          {replay.error && (
            <p role="alert" className="m-0 text-failed">
              {replay.error.message}
            </p>
          )}
        </div>
      </Modal>
      <TypedConfirm
        open={asking}
        title={t("replay.confirmTitle", { number: messages.toLocaleString("en") })}
        text={t("replay.confirmText", { school: schoolName })}
        name={schoolName}
        verb={t("replay.confirmVerb")}
        onConfirm={go}
        onCancel={() => setAsking(false)}
      />
    </>
  );
}
