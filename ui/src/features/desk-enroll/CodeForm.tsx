import { Alert, Button, Form, Input } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Checked, useEnroll } from "./useEnroll";

/** The one field. What is typed is checked at once, offline. */
export function CodeForm({ enroll, replaces }: { enroll: ReturnType<typeof useEnroll>; replaces: string | null }) {
  const { t } = useTranslation("deskEnroll");
  const [pressed, setPressed] = useState(false);
  const { text, checked, busy } = enroll;
  const right = checked !== null && "server" in checked;
  const submit = () => {
    setPressed(true);
    if (right) void enroll.look();
  };
  return (
    <Form layout="vertical" onFinish={submit}>
      {replaces && (
        <Alert type="warning" showIcon className="mb-4!" title={t("already.replace", { school: replaces })} />
      )}
      <Form.Item
        label={t("field")}
        htmlFor="enrollment-code"
        validateStatus={right ? "success" : text && checked ? (pressed ? "error" : "warning") : pressed ? "error" : ""}
        help={<Help text={text} checked={checked} pressed={pressed} />}
      >
        <Input.TextArea
          id="enrollment-code"
          autoFocus
          autoSize={{ minRows: 3, maxRows: 6 }}
          spellCheck={false}
          autoComplete="off"
          className="font-mono!"
          placeholder={t("placeholder")}
          value={text}
          onChange={(event) => {
            setPressed(false);
            enroll.setText(event.target.value);
          }}
          onKeyDown={(event) => {
            // A code has no lines: Enter goes on.
            if (event.key !== "Enter" || event.shiftKey) return;
            event.preventDefault();
            submit();
          }}
        />
      </Form.Item>
      <Button type="primary" htmlType="submit" loading={busy}>
        {t("continue")}
      </Button>
      <span role="status" className="ml-3 text-text-3">
        {busy && t("checking")}
      </span>
    </Form>
  );
}

function Help({ text, checked, pressed }: { text: string; checked: Checked; pressed: boolean }) {
  const { t } = useTranslation("deskEnroll");
  if (!text.trim()) return <>{pressed ? t("empty") : t("hint")}</>;
  if (!checked) return <>{t("hint")}</>;
  if ("error" in checked) return <span role={pressed ? "alert" : undefined}>{checked.error.message}</span>;
  return <span className="text-delivered">{t("complete", { server: checked.server })}</span>;
}
