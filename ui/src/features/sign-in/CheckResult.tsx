import { Button } from "antd";
import { CircleCheck, CircleX, ShieldQuestion } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/components/Copy";
import { CopyDetails } from "@/components/states";
import { formatDuration } from "@/components/time";
import type { ServerCheck, ShellFailure } from "@/shell/host";
import { compareVersion, VERSION } from "@/shell/version";

type Verdict = "good" | "bad" | "ask";

/** A key's SHA-256 in groups that can be read aloud. */
export function Fingerprint({ pin }: { pin: string }) {
  return (
    <span className="flex items-start gap-1">
      <code>{pin.match(/.{1,8}/g)?.join(" ") ?? pin}</code>
      <CopyButton text={pin} />
    </span>
  );
}

function Line({ verdict, name, children }: { verdict: Verdict; name: string; children: ReactNode }) {
  const look = {
    good: <CircleCheck size={16} aria-hidden className="mt-0.5 shrink-0 text-delivered" />,
    bad: <CircleX size={16} aria-hidden className="mt-0.5 shrink-0 text-failed" />,
    ask: <ShieldQuestion size={16} aria-hidden className="mt-0.5 shrink-0 text-retrying" />,
  };
  return (
    <li className="flex gap-2">
      {look[verdict]}
      <div className="min-w-0">
        <span className="font-medium">{name}</span> <span className="text-text-2">{children}</span>
      </div>
    </li>
  );
}

/** A server that answered: how far it is, who it is, whether it fits. */
export function CheckResult({ check }: { check: ServerCheck }) {
  const { t } = useTranslation("signIn");
  const fits = compareVersion(check.version);
  const version = { version: check.version, ours: VERSION };
  return (
    <ul className="m-0 flex list-none flex-col gap-2 p-0">
      <Line verdict="good" name={t("check.reachable")}>
        {t("check.latency", { latency: formatDuration(check.latencyMs) })}
      </Line>
      <Line verdict={check.keyKnown ? "good" : "ask"} name={t("check.identity")}>
        {check.keyKnown ? t("check.identityKnown") : t("check.identityNew")}
        <Fingerprint pin={check.pin} />
        {!check.keyKnown && <span className="text-label text-text-3">{t("check.compare")}</span>}
      </Line>
      <Line verdict={check.compatible ? "good" : "bad"} name={t("check.version")}>
        {check.compatible && t("check.compatible", version)}
        {!check.compatible && (fits === "newer" ? t("check.tooNew", version) : t("check.tooOld", version))}
      </Line>
    </ul>
  );
}

/** A server that could not be looked at. */
export function CheckFailure({ error, onRetry }: { error: ShellFailure; onRetry: () => void }) {
  const { t } = useTranslation("signIn");
  const names: Partial<Record<ShellFailure["code"], string>> = {
    unavailable: t("check.unreachable"),
    deadline_exceeded: t("check.unreachable"),
    bad_address: t("check.badAddress"),
  };
  return (
    <>
      <ul className="m-0 list-none p-0">
        <Line verdict="bad" name={names[error.code] ?? t("check.failed")}>
          {error.message}
        </Line>
      </ul>
      <div className="flex gap-2">
        <Button onClick={onRetry}>{t("check.again")}</Button>
        <CopyDetails error={error} />
      </div>
    </>
  );
}
