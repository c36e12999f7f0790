import { useQueryClient } from "@tanstack/react-query";
import { Alert, App, Button } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Server, Session, ShellFailure } from "@/shell/host";
import { Credentials } from "./Credentials";
import { ServerStep } from "./ServerStep";

interface SignInProps {
  /** The session that was open has ended. */
  ended: boolean;
  /** Why the last session could not be taken up. */
  problem: ShellFailure | null;
  onSignedIn: (session: Session) => void;
}

/** Connect to a server, accept its key, sign in; the first time, claim it. */
export default function SignIn({ ended, problem, onSignedIn }: SignInProps) {
  const { t } = useTranslation("signIn");
  const { t: common } = useTranslation();
  const { notification } = App.useApp();
  const client = useQueryClient();
  const [accepted, setAccepted] = useState<{ server: Server; unclaimed: boolean } | null>(null);

  const enter = (session: Session) => {
    if (session.kept.kept === "no") {
      const description = session.kept.error.message;
      notification.warning({ title: t("notKept"), description, duration: 10, placement: "bottomRight" });
    }
    onSignedIn(session);
  };
  const recheck = () => client.refetchQueries({ queryKey: ["check_server"] });

  return (
    <main className="flex min-h-full items-start justify-center overflow-y-auto bg-canvas px-6 py-12">
      <div className="flex w-full max-w-[520px] flex-col gap-4">
        <header className="flex items-center gap-3">
          <span aria-hidden className="inline-block h-6 w-6 rounded-control bg-accent" />
          <div>
            <h1 className="m-0 text-page font-semibold">{t("title")}</h1>
            <p className="m-0 text-text-3">{common("app.provider")}</p>
          </div>
        </header>
        {ended && <Alert type="info" showIcon role="status" title={t("ended")} />}
        {problem && !ended && (
          <Alert
            type="warning"
            showIcon
            role="alert"
            title={t("resume.title")}
            description={problem.message}
            action={
              <Button size="small" onClick={() => void client.refetchQueries({ queryKey: ["session"] })}>
                {t("resume.retry")}
              </Button>
            }
          />
        )}
        <div className="flex flex-col gap-6 rounded-card border border-solid border-hairline bg-surface p-6">
          <ServerStep onAccept={setAccepted} />
          {accepted && (
            <Credentials
              key={`${accepted.server.address} ${accepted.server.pin} ${accepted.unclaimed}`}
              {...accepted}
              onSignedIn={enter}
              onKeyChanged={() => void recheck()}
            />
          )}
        </div>
      </div>
    </main>
  );
}
