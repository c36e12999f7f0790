import type { UseQueryResult } from "@tanstack/react-query";
import { Alert, Button, Skeleton } from "antd";
import { CloudOff, Inbox, Lock, SearchX, TriangleAlert } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ShellFailure } from "@/shell/host";
import { usePreferences } from "@/theme/preferences";
import { formatTime } from "./time";

/** True once `ms` passed while waiting: what loads fast shows no skeleton. */
export function useDelayed(waiting: boolean, ms = 150): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!waiting) return setLate(false);
    const timer = setTimeout(() => setLate(true), ms);
    return () => clearTimeout(timer);
  }, [waiting, ms]);
  return waiting && late;
}

/** Nothing is there yet: one sentence, one action. */
export function Empty({ icon, text, action }: { icon?: ReactNode; text: string; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center justify-center gap-3 px-6 py-12 text-center text-text-2">
      <span aria-hidden className="text-text-3">
        {icon ?? <Inbox size={28} strokeWidth={1.5} />}
      </span>
      <p className="m-0 max-w-md">{text}</p>
      {action}
    </div>
  );
}

/** A filter let nothing through. */
export function EmptyFilter({ text, onClear }: { text?: string; onClear: () => void }) {
  const { t } = useTranslation();
  return (
    <Empty
      icon={<SearchX size={28} strokeWidth={1.5} />}
      text={text ?? t("state.emptyFilter")}
      action={<Button onClick={onClear}>{t("act.clearFilters")}</Button>}
    />
  );
}

/** What went wrong, plainly, with its code, Retry and Copy details. A missing role is a state of its own. */
export function Failure({ error, onRetry }: { error: ShellFailure; onRetry?: () => void }) {
  const { t } = useTranslation();
  if (error.code === "permission_denied") {
    return <Empty icon={<Lock size={28} strokeWidth={1.5} />} text={`${t("state.noPermission")}. ${error.message}`} />;
  }
  const offline = error.code === "unavailable" || error.code === "not_connected";
  const Icon = offline ? CloudOff : TriangleAlert;
  return (
    <div role="alert" className="flex flex-col items-center gap-3 px-6 py-12 text-center">
      <Icon size={28} strokeWidth={1.5} className="text-failed" aria-hidden />
      <div>
        <p className="m-0 font-semibold">{t("state.error")}</p>
        <p className="m-0 max-w-xl text-text-2">{error.message}</p>
        <p className="m-0 text-label text-text-3">{t("state.errorCode", { code: error.code })}</p>
      </div>
      <div className="flex gap-2">
        {onRetry && (
          <Button type="primary" onClick={onRetry}>
            {t("act.retry")}
          </Button>
        )}
        <CopyDetails error={error} />
      </div>
    </div>
  );
}

/** Copies a failure for support. */
export function CopyDetails({ error }: { error: ShellFailure }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const details = JSON.stringify({ at: new Date().toISOString(), ...error }, null, 2);
  const copy = () =>
    navigator.clipboard.writeText(details).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return <Button onClick={copy}>{copied ? t("act.copied") : t("act.copyDetails")}</Button>;
}

/** Above data that could not be read again: how old it is, and why where the connection is not what is tried again. */
export function StaleBanner({ since, error }: { since: number; error?: ShellFailure | null }) {
  const { zone } = usePreferences();
  const { t } = useTranslation();
  const time = formatTime(new Date(since), zone).slice(11);
  const reconnects = !error || error.code === "unavailable";
  return (
    <Alert
      banner
      type="warning"
      role="status"
      title={t(reconnects ? "state.stale" : "state.staleOnly", { time })}
      description={reconnects ? undefined : error.message}
    />
  );
}

/** Lines in the shape of a list, while it loads. */
export function ListSkeleton({ rows = 8 }: { rows?: number }) {
  return <Skeleton active title={false} paragraph={{ rows, width: "100%" }} className="p-4" />;
}

interface LoadedProps<T> {
  query: Pick<UseQueryResult<T, ShellFailure>, "data" | "error" | "isPending" | "isError" | "dataUpdatedAt"> & {
    refetch: () => unknown;
  };
  /** In the content's shape. */
  skeleton?: ReactNode;
  /** Shown instead of the content where there is none. */
  empty?: ReactNode;
  isEmpty?: (data: T) => boolean;
  children: (data: T) => ReactNode;
}

/**
 * What a read shows in each of its states. Data that was there stays there: a later failure only adds a banner with its
 * age.
 */
export function Loaded<T>({ query, skeleton, empty, isEmpty, children }: LoadedProps<T>) {
  const { t } = useTranslation();
  const late = useDelayed(query.isPending);
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && <StaleBanner since={query.dataUpdatedAt} error={query.error} />}
        {isEmpty?.(query.data) ? empty : children(query.data)}
      </>
    );
  }
  if (query.error) return <Failure error={query.error} onRetry={() => void query.refetch()} />;
  if (!late) return null;
  return (
    <div role="status" aria-busy aria-label={t("state.loading")}>
      {skeleton ?? <ListSkeleton />}
    </div>
  );
}
