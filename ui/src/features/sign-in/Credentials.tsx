import { Alert, Button, Form, Input, type InputRef } from "antd";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { showViolations } from "@/components/forms";
import { useProviderHost } from "@/shell/context";
import type { Server, Session, ShellFailure } from "@/shell/host";

interface CredentialsProps {
  server: Server;
  /** Nobody owns the server yet: the owner code makes the first account. */
  unclaimed: boolean;
  onSignedIn: (session: Session) => void;
  onKeyChanged: () => void;
}

interface Typed {
  ownerCode?: string;
  username: string;
  password: string;
}

/** User name and password; where the server has no owner yet, its one-time code too. */
export function Credentials({ server, unclaimed, onSignedIn, onKeyChanged }: CredentialsProps) {
  const { t } = useTranslation("signIn");
  const host = useProviderHost();
  const [form] = Form.useForm<Typed>();
  const password = useRef<InputRef>(null);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<ShellFailure | null>(null);

  const submit = async ({ ownerCode = "", username, password: typed }: Typed) => {
    setBusy(true);
    setRefused(null);
    const claim = unclaimed ? { ownerCode: ownerCode.trim() } : {};
    try {
      onSignedIn(await host.signIn({ server, username: username.trim(), password: typed, ...claim }));
    } catch (caught) {
      const error = caught as ShellFailure;
      setBusy(false);
      if (error.code === "server_key_changed") return onKeyChanged();
      if (showViolations(form, error)) return;
      if (error.code === "permission_denied" && unclaimed) {
        return form.setFields([{ name: "ownerCode", errors: [t("refused.ownerCode")] }]);
      }
      setRefused(error);
      if (error.code === "unauthenticated") {
        form.resetFields(["password"]);
        password.current?.focus();
      }
    }
  };

  return (
    <section
      aria-label={unclaimed ? t("claim.title") : t("credentials.title")}
      className="flex flex-col gap-3 border-0 border-t border-solid border-hairline pt-5"
    >
      <h2 className="m-0 text-section font-semibold">{unclaimed ? t("claim.title") : t("credentials.title")}</h2>
      {unclaimed && <p className="m-0 text-text-2">{t("claim.text")}</p>}
      {refused && <Refusal error={refused} />}
      <Form form={form} layout="vertical" requiredMark={false} disabled={busy} onFinish={(typed) => void submit(typed)}>
        {unclaimed && (
          <Form.Item name="ownerCode" label={t("claim.code")} rules={[{ required: true, message: t("required.code") }]}>
            <Input autoFocus autoComplete="off" spellCheck={false} className="font-mono" />
          </Form.Item>
        )}
        <Form.Item
          name="username"
          label={unclaimed ? t("claim.username") : t("credentials.username")}
          rules={[{ required: true, message: t("required.username") }]}
        >
          <Input autoFocus={!unclaimed} autoComplete="username" autoCapitalize="none" spellCheck={false} />
        </Form.Item>
        <Form.Item
          name="password"
          label={unclaimed ? t("claim.password") : t("credentials.password")}
          extra={unclaimed ? t("claim.passwordHint") : undefined}
          rules={[{ required: true, message: t("required.password") }]}
        >
          <Input.Password ref={password} autoComplete={unclaimed ? "new-password" : "current-password"} />
        </Form.Item>
        <Button type="primary" htmlType="submit" loading={busy} block>
          {unclaimed ? t("claim.submit") : t("credentials.submit")}
        </Button>
      </Form>
    </section>
  );
}

/** Why nobody came in: a wrong password, a lock, a server that went away or does not fit are told apart. */
function Refusal({ error }: { error: ShellFailure }) {
  const { t } = useTranslation("signIn");
  const told: Partial<Record<ShellFailure["code"], [title: string, hint: string]>> = {
    unauthenticated: [t("refused.wrong"), t("refused.wrongHint")],
    resource_exhausted: [t("refused.locked"), error.message],
    unavailable: [t("refused.unreachable"), error.message],
    deadline_exceeded: [t("refused.unreachable"), error.message],
    unimplemented: [t("refused.version"), error.message],
  };
  const [title, hint] = told[error.code] ?? [t("refused.other"), error.message];
  return <Alert type="error" showIcon role="alert" title={title} description={hint} />;
}
