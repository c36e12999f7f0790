import { Link } from "@tanstack/react-router";
import { Button } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { ConnectionPill } from "@/components/connection";
import { formatPerMille } from "@/components/format";
import { HourStrip } from "@/components/HourStrip";
import { Time } from "@/components/time";
import { Enrollment, InSync, SecretAge, Waiting } from "./facts";
import { PauseButton } from "./PauseButton";
import { type Listed, stateOf } from "./useSchools";

/** Cards are for looking over some dozens; the table is for more. */
const AT_ONCE = 60;

export function SchoolCards({ schools }: { schools: Listed[] }) {
  const { t } = useTranslation("schools");
  const [shown, setShown] = useState(AT_ONCE);
  const more = schools.length - shown;
  return (
    <>
      <ul className="m-0 grid list-none grid-cols-[repeat(auto-fill,minmax(320px,1fr))] gap-4 p-0">
        {schools.slice(0, shown).map((one) => (
          <Card key={one.school.id} of={one} />
        ))}
      </ul>
      {more > 0 && (
        <Button className="self-center" onClick={() => setShown(shown + AT_ONCE)}>
          {t("more", { count: Math.min(more, AT_ONCE) })}
        </Button>
      )}
    </>
  );
}

function Card({ of }: { of: Listed }) {
  const { t } = useTranslation("schools");
  const { school, connection, strip, share, urlHost } = of;
  const facts: [string, ReactNode][] = [
    [t("card.last"), <Time key="last" at={connection?.lastDeliveredAt} relative />],
    [t("card.pending"), <Waiting key="pending" figures={school.figures || undefined} />],
    [t("card.sync"), <InSync key="sync" />],
    [t("card.secret"), <SecretAge key="secret" connection={connection} />],
    [t("card.enrollment"), <Enrollment key="enrollment" connection={connection} />],
  ];
  return (
    <li
      aria-label={school.name}
      className="flex flex-col gap-3 rounded-card border border-solid border-hairline bg-surface p-4"
    >
      <div>
        <div className="flex items-center gap-2">
          <Link
            to="/schools/$school"
            params={{ school: school.id }}
            className="min-w-0 flex-1 truncate text-section font-semibold text-text-1"
          >
            {school.name}
          </Link>
          <ConnectionPill state={stateOf(of)} />
        </div>
        <code className="block truncate text-text-3" title={connection?.url}>
          {urlHost || t("card.noAddress")}
        </code>
      </div>
      <div className="flex items-end justify-between gap-2">
        <HourStrip delivered={strip?.deliveredByHour ?? []} failed={strip?.failedByHour ?? []} />
        <span className="tabular-nums">
          {share === undefined ? (
            <span className="text-text-3">{t("card.quiet")}</span>
          ) : (
            t("card.share", { share: formatPerMille(share) })
          )}
        </span>
      </div>
      <dl className="m-0 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        {facts.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-text-3">{name}</dt>
            <dd className="m-0 min-w-0 break-words text-right tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
      <div className="mt-auto flex justify-end gap-2 empty:hidden">
        <PauseButton of={of} small />
      </div>
    </li>
  );
}
