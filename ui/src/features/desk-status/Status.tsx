import { Link, Navigate, useNavigate, useSearch } from "@tanstack/react-router";
import { Alert, Button } from "antd";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useConnection, useReceiver, useReceiverStatus } from "@/api/desk";
import { useCall } from "@/api/hooks";
import { Fingerprint, useSecretPlace } from "@/components/desk";
import { useLink } from "@/components/frame";
import { Figure, Page } from "@/components/Page";
import { Loaded } from "@/components/states";
import type { Status as ReceiverStatus } from "@/gen/rollcall/school/v1/receiver";
import { Alerts } from "./Alerts";
import { CatchUp } from "./CatchUp";
import { Chain } from "./Chain";
import { CheckPanel } from "./CheckPanel";
import { type Asked, providerAlarm, syncOf } from "./chain";
import { SecretProblem } from "./SecretProblem";
import { SyncBadge } from "./SyncBadge";
import { useCheck } from "./useCheck";
import { useRestart } from "./useRestart";

/** Whoever came to this place for a check finds the focus on its button, each time. */
function useFocusForCheck(enrolled: boolean) {
  const button = useRef<HTMLButtonElement>(null);
  const navigate = useNavigate();
  const { check } = useSearch({ strict: false }) as { check?: number };
  useEffect(() => {
    if (!check || !enrolled) return;
    button.current?.focus();
    void navigate({ to: "/", search: {}, replace: true } as never);
  }, [check, enrolled, navigate]);
  return button;
}

/** The desk's home: whether messages arrive, and what to do where they do not. */
export default function Status() {
  const { t } = useTranslation("deskStatus");
  const provider = useLink("provider");
  const receiverLink = useLink("receiver");
  const receiver = useReceiver();
  const status = useReceiverStatus();
  const enrolled = status.data?.enrolled === true;
  const connection = useConnection(enrolled);
  const newest = useCall("ReceiverService/ListEvents", { pageSize: 1 }, { enabled: enrolled, refetchInterval: 5_000 });
  const restart = useRestart();
  const { check, busy, run } = useCheck();
  const runs = useFocusForCheck(enrolled);

  const held = status.data;
  // The first start, or an enrollment that was reset: there is nothing to show before a code.
  if (held && !held.enrolled && !held.secretError) return <Navigate to={"/enroll" as "/"} />;
  const alarm = providerAlarm(connection.data?.connection);
  const known = {
    provider,
    receiverLink,
    receiver,
    status: held,
    unread: status.isError,
    connection: connection.data?.connection,
    newest: newest.data?.events[0],
  };
  return (
    <Page
      title={t("title")}
      extra={held?.schoolName && <span className="text-section text-text-2">{held.schoolName}</span>}
      actions={
        enrolled && (
          <Button ref={runs} type="primary" loading={busy} onClick={() => void run()}>
            {t("check.run")}
          </Button>
        )
      }
    >
      {held && held.alerts > 0 && <Alerts count={held.alerts} latest={held.latestAlert} />}
      {held && !held.enrolled && (
        <SecretProblem status={held} busy={restart.isPending} onAgain={() => restart.mutate()} />
      )}
      {alarm && (
        <Alert
          type="error"
          showIcon
          role="alert"
          title={t("alerts.provider")}
          description={`${alarm} ${t("alerts.providerNext")}`}
        />
      )}
      {held?.enrolled && held.secretError && (
        <Alert type="warning" showIcon role="alert" title={t("secret.warning", { error: held.secretError })} />
      )}
      <Chain known={known} restarting={restart.isPending} onRestart={() => restart.mutate()} />
      {restart.error && <Alert type="error" showIcon role="alert" title={restart.error.message} />}
      {check && <CheckPanel check={check} />}
      {receiver.state !== "failed" && (
        <Loaded query={status}>
          {(data) =>
            data.enrolled && (
              <Holdings
                status={data}
                asked={{
                  head: connection.data?.headSequence,
                  heldBefore: connection.data?.heldBefore,
                  state: connection.data?.connection?.state,
                  at: connection.dataUpdatedAt,
                  reached: provider === "connected" && !connection.isError,
                }}
              />
            )
          }
        </Loaded>
      )}
    </Page>
  );
}

/** What this school holds, and whether that is everything. */
function Holdings({ status, asked }: { status: ReceiverStatus; asked: Asked }) {
  const { t } = useTranslation("deskStatus");
  const gaps = useCall(
    "ReceiverService/ListGaps",
    {},
    { enabled: status.contiguousSequence !== status.highestSequence },
  );
  const missing = gaps.data && Number(gaps.data.missing);
  const place = useSecretPlace(status.secretStore);
  return (
    <>
      <SyncBadge sync={syncOf(status, missing, asked)} />
      <div className="grid grid-cols-1 gap-3 md:grid-cols-3">
        <Figure
          name={t("figure.students")}
          value={status.students.toLocaleString("en")}
          hint={<Link to={"/roster" as "/"}>{t("figure.studentsHint")}</Link>}
        />
        <Figure
          name={t("figure.sequence")}
          value={status.contiguousSequence}
          hint={t("figure.sequenceHint", { highest: status.highestSequence })}
        />
        <div className="rounded-card border border-solid border-hairline bg-surface p-4">
          <div className="text-label text-text-3">{t("figure.secret")}</div>
          <ul className="my-1 flex list-none flex-col p-0">
            {status.fingerprints.map((words) => (
              <li key={words}>
                <Fingerprint words={words} />
              </li>
            ))}
          </ul>
          <div className="text-label text-text-3">{t("figure.secretHint", { place })}</div>
        </div>
      </div>
      <CatchUp
        contiguous={status.contiguousSequence}
        head={asked.reached ? asked.head : undefined}
        school={status.schoolName}
      />
    </>
  );
}
