import { Link } from "@tanstack/react-router";
import { Button } from "antd";
import {
  ArrowRight,
  CircleCheck,
  CircleHelp,
  CircleX,
  LoaderCircle,
  type LucideIcon,
  TriangleAlert,
} from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { StatusPill } from "@/components/StatusPill";
import { formatRelative, Time } from "@/components/time";
import type { Tone } from "@/theme/tokens";
import { eventHealth, type Health, type Known, providerHealth, receiverHealth, waitingState } from "./chain";

const LOOKS: Record<Health, [Tone, LucideIcon]> = {
  ok: ["delivered", CircleCheck],
  warn: ["retrying", TriangleAlert],
  bad: ["failed", CircleX],
  wait: ["queued", LoaderCircle],
  unknown: ["paused", CircleHelp],
};

interface Part {
  name: string;
  health: Health;
  sentence: ReactNode;
  fix?: ReactNode;
  act?: ReactNode;
}

/** The three links of a message's way, each with a sentence, and a fix where one is needed. */
export function Chain({ known, onRestart, restarting }: { known: Known; onRestart: () => void; restarting: boolean }) {
  const { t } = useTranslation("deskStatus");
  const restart = (
    <Button size="small" loading={restarting} onClick={onRestart}>
      {t("chain.receiver.restart")}
    </Button>
  );
  const parts = [useProviderPart(known), useReceiverPart(known, restart), useEventPart(known)];
  return (
    <section aria-label={t("chain.title")}>
      <ol className="m-0 grid list-none grid-cols-1 gap-3 p-0 lg:grid-cols-[1fr_auto_1fr_auto_1fr]">
        {parts.map((part, index) => (
          <PartCard key={part.name} part={part} last={index === parts.length - 1} />
        ))}
      </ol>
    </section>
  );
}

function PartCard({ part, last }: { part: Part; last: boolean }) {
  const { t } = useTranslation("deskStatus");
  const [tone, icon] = LOOKS[part.health];
  return (
    <>
      <li
        aria-label={part.name}
        data-health={part.health}
        className="flex min-w-0 flex-col gap-2 rounded-card border border-solid border-hairline bg-surface p-4"
      >
        <div className="flex flex-wrap items-center gap-2">
          <h2 className="m-0 text-section font-semibold">{part.name}</h2>
          <StatusPill tone={tone} icon={icon} word={t(`chain.${part.health}`)} />
        </div>
        <p className="m-0 break-words text-text-2">{part.sentence}</p>
        {part.fix && <p className="m-0 break-words">{part.fix}</p>}
        {part.act && <div className="mt-auto pt-1">{part.act}</div>}
      </li>
      {!last && (
        <li aria-hidden className="hidden items-center text-text-3 lg:flex">
          <ArrowRight size={18} />
        </li>
      )}
    </>
  );
}

function useProviderPart(known: Known): Part {
  const { t } = useTranslation("deskStatus");
  const { provider, status, connection } = known;
  const address = status?.providerAddress || t("chain.provider.unknown");
  const waiting = waitingState(known);
  const name = t("chain.provider.name");
  const health = providerHealth(known);
  if (provider === "connected") {
    if (!waiting) return { name, health, sentence: t("chain.provider.connected", { address }) };
    const told = { address, state: t(`state.${waiting}`), reason: connection?.reason ?? "" };
    return { name, health, sentence: t("chain.provider.held", told), fix: t("chain.provider.heldFix") };
  }
  return {
    name,
    health,
    sentence: t(`chain.provider.${provider}`, { address }),
    fix: t(`chain.provider.${provider}Fix`),
  };
}

function useReceiverPart(known: Known, restart: ReactNode): Part {
  const { t } = useTranslation("deskStatus");
  const { receiver, status } = known;
  const name = t("chain.receiver.name");
  const health = receiverHealth(known);
  if (receiver.state === "starting") return { name, health, sentence: t("chain.receiver.starting") };
  if (receiver.state === "failed") {
    const sentence = t("chain.receiver.failed", { error: receiver.error.message });
    return { name, health, sentence, fix: t("chain.receiver.failedFix"), act: restart };
  }
  if (health === "bad") {
    return { name, health, sentence: t("chain.receiver.lost"), fix: t("chain.receiver.lostFix"), act: restart };
  }
  const address = status?.webhookAddress || receiver.webhook;
  const sentence = t(`chain.receiver.${receiver.state}`, { address });
  return { name, health, sentence, fix: health === "warn" ? t("chain.receiver.noSecret") : undefined };
}

function useEventPart(known: Known): Part {
  const { t } = useTranslation("deskStatus");
  const { t: e } = useTranslation("deskEvents");
  const { status, newest } = known;
  const name = t("chain.event.name");
  const health = eventHealth(known);
  if (!status) return { name, health, sentence: t("chain.event.unknown") };
  if (health === "bad" && newest) {
    const verdict = e(`verdict.${newest.verdict}` as "verdict.verified");
    return {
      name,
      health,
      sentence: t("chain.event.bad", { verdict }),
      fix: t("chain.event.badFix"),
      act: (
        <Link to={"/signature" as "/"} search={{ id: newest.messageId, at: newest.at } as never}>
          {t("chain.event.debug")}
        </Link>
      ),
    };
  }
  if (!status.lastVerifiedAt) return { name, health, sentence: t("chain.event.never"), fix: t("chain.event.neverFix") };
  return {
    name,
    health,
    sentence: (
      <>
        <Time at={status.lastVerifiedAt} />
        <br />
        {t("chain.event.at", { ago: formatRelative(status.lastVerifiedAt, Date.now()) })}
      </>
    ),
  };
}
