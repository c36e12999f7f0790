import { useNavigate, useSearch } from "@tanstack/react-router";
import { Steps } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useReceiverStatus } from "@/api/desk";
import { FocusHere } from "@/components/FocusHere";
import { Page, Section } from "@/components/Page";
import { Already } from "./Already";
import { CodeForm } from "./CodeForm";
import { Confirm } from "./Confirm";
import { Done } from "./Done";
import { KeychainProblem } from "./KeychainProblem";
import { Refused } from "./Refused";
import { useEnroll } from "./useEnroll";

/** From a code to a secret in the keychain. A link only fills the field in: the person presses. */
export default function Enroll() {
  const { t } = useTranslation("deskEnroll");
  const navigate = useNavigate();
  const { code } = useSearch({ strict: false }) as { code?: unknown };
  const [linked, setLinked] = useState(typeof code === "string" ? code : "");
  const [again, setAgain] = useState(false);
  const status = useReceiverStatus();
  const enroll = useEnroll(linked);
  useEffect(() => {
    if (typeof code !== "string") return;
    setLinked(code);
    // The code is single use and not for the address: it goes from there at once.
    void navigate({ to: "/enroll" as "/", search: {} as never, replace: true });
  }, [code, navigate]);

  const { step } = enroll;
  const held = status.data?.enrolled ? status.data : null;
  const current = { code: 0, keychain: 0, refused: 0, confirm: 1, done: 2 }[step.at];
  const failed = step.at === "keychain" || step.at === "refused";
  return (
    <Page title={t("title")}>
      <div className="flex w-full max-w-[720px] flex-col gap-4">
        <p className="m-0 text-text-2">{t("intro")}</p>
        <Steps
          size="small"
          current={current}
          status={failed ? "error" : undefined}
          items={[{ title: t("step.code") }, { title: t("step.confirm") }, { title: t("step.done") }]}
        />
        <Section>
          {step.at === "code" &&
            (held && !again && !linked ? (
              <Already status={held} onAgain={() => setAgain(true)} />
            ) : (
              <CodeForm enroll={enroll} replaces={held?.schoolName ?? null} />
            ))}
          {step.at !== "code" && (
            <FocusHere key={step.at}>
              {step.at === "keychain" && (
                <KeychainProblem error={step.error} busy={enroll.busy} onAgain={enroll.look} onBack={enroll.back} />
              )}
              {step.at === "refused" && (
                <Refused error={step.error} busy={enroll.busy} onAgain={enroll.look} onAnew={enroll.anew} />
              )}
              {step.at === "confirm" && (
                <Confirm
                  details={step.details}
                  busy={enroll.busy}
                  onEnroll={() => enroll.redeem(step)}
                  onBack={enroll.back}
                />
              )}
              {step.at === "done" && <Done enrolled={step.enrolled} />}
            </FocusHere>
          )}
        </Section>
      </div>
    </Page>
  );
}
