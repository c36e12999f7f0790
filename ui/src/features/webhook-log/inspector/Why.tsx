import { Alert } from "antd";
import { useTranslation } from "react-i18next";
import type { Attempt } from "@/gen/rollcall/provider/v1/log";

/** Where a code says more than its cause. */
function todoKey({ cause, code }: Attempt): string {
  if (cause !== "http") return cause;
  if (code === 401 || code === 403) return "http401";
  if (code === 404 || code === 405) return "http404";
  if (code === 413) return "http413";
  return code >= 500 ? "http5xx" : "http";
}

/** A failure in words, and what to do. */
export function Why({ attempt }: { attempt: Attempt }) {
  const { t } = useTranslation("webhookLog");
  if (!attempt.cause) return null;
  const todo = t(`todo.${todoKey(attempt)}` as "todo.dns", { defaultValue: "" });
  return (
    <Alert
      type={attempt.status === "retrying" ? "warning" : "error"}
      title={attempt.explanation || t(`cause.${attempt.cause}` as "cause.dns", { defaultValue: attempt.cause })}
      description={
        <>
          {todo && (
            <p className="m-0">
              <strong className="font-medium">{t("inspector.todo")}:</strong> {todo}
            </p>
          )}
          {attempt.clockSkewS !== 0 && (
            <p className="m-0">{t("inspector.skew", { seconds: Math.abs(attempt.clockSkewS) })}</p>
          )}
        </>
      }
    />
  );
}
