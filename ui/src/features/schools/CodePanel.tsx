import { Alert, Button } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useAct } from "@/api/hooks";
import { useTell } from "@/components/forms";
import { NamedSelect } from "@/components/NamedSelect";
import { Section } from "@/components/Page";
import { formatTime } from "@/components/time";
import type { School } from "@/gen/rollcall/provider/v1/school";
import { useMay } from "@/shell/session";
import { usePreferences } from "@/theme/preferences";
import { CodeProgress } from "./CodeProgress";
import { IssuedCode } from "./IssuedCode";

const TOUCHES = ["SchoolService", "LogService/GetOverview"];
const LIVE = new Set(["issued", "claimed"]);

type Ttl = 3600 | 86400 | 604800;

/** A school's enrollment code: made, shown once, followed until it is redeemed. Never a signing secret. */
export function CodePanel({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const tell = useTell();
  const may = useMay("ROLE_OPERATOR");
  const [ttlS, setTtl] = useState<Ttl>(86_400);
  const issue = useAct("SchoolService/IssueCode", TOUCHES);
  const revoke = useAct("SchoolService/RevokeCode", TOUCHES);
  const code = school.connection?.code || undefined;
  const live = code !== undefined && LIVE.has(code.state);
  const issued = issue.data;
  const { reset } = issue;
  // A code that is used or void has no business on a screen.
  const over = code !== undefined && !live;
  useEffect(() => {
    if (over) reset();
  }, [over, reset]);

  return (
    <Section title={t("code.title")}>
      <div className="flex flex-col gap-4">
        <Alarm school={school} />
        <p className="m-0 text-text-2">{code?.state === "confirmed" && !live ? t("code.renew") : t("code.why")}</p>
        {live && issued && <IssuedCode issued={issued} />}
        <CodeProgress school={school} shown={issued !== undefined} />
        <div className="flex flex-wrap items-center gap-2">
          {may && !live && (
            <>
              <NamedSelect<Ttl>
                label={t("code.ttl")}
                value={ttlS}
                onChange={setTtl}
                options={([3_600, 86_400, 604_800] as const).map((value) => ({ value, label: t(`code.ttl${value}`) }))}
              />
              <Button
                type={code?.state === "confirmed" ? "default" : "primary"}
                loading={issue.isPending}
                onClick={() => issue.mutate({ school: school.id, ttlS }, { onError: tell.failed })}
              >
                {code ? t("code.issueNew") : t("code.issue")}
              </Button>
            </>
          )}
          {may && live && (
            <Button
              danger
              loading={revoke.isPending}
              onClick={() =>
                revoke.mutate(
                  { school: school.id },
                  { onSuccess: () => tell.done(t("code.revoked")), onError: tell.failed },
                )
              }
            >
              {t("code.revoke")}
            </Button>
          )}
        </div>
      </div>
    </Section>
  );
}

/** A second party met the code. */
function Alarm({ school }: { school: School }) {
  const { t } = useTranslation("schools");
  const { zone } = usePreferences();
  const code = school.connection?.code || undefined;
  if (code?.state !== "compromised") return null;
  const host = code.redeemedByHost || t("code.unknownHost");
  const kept = school.connection?.secrets.some(({ state }) => state === "active");
  const time = code.redeemedAt ? formatTime(code.redeemedAt, zone) : "";
  return (
    <Alert
      type="error"
      showIcon
      role="alert"
      title={t("code.alarm")}
      description={kept ? t("code.alarmKept", { host }) : t("code.alarmText", { host, time })}
    />
  );
}
