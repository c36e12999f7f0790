import { useTranslation } from "react-i18next";
import type { Message } from "@/gen/rollcall/provider/v1/log";
import { fromBase64, toText } from "./bytes";
import { Reveal } from "./Reveal";
import type { Revealing } from "./useMessage";

interface Changed {
  field: string;
  before: unknown;
  after: unknown;
}

/** The fields that an update names as changed. */
function changes(base64: string): Changed[] | null {
  try {
    const { data } = JSON.parse(toText(fromBase64(base64))) as {
      data?: { object?: Record<string, unknown>; previousAttributes?: Record<string, unknown> };
    };
    const { object = {}, previousAttributes = {} } = data ?? {};
    return Object.entries(previousAttributes).map(([field, before]) => ({
      field,
      before,
      after: object[field] ?? null,
    }));
  } catch {
    return null;
  }
}

/** What an update changed: before and after, field by field. */
export function Diff({ message, body, reveal }: { message: Message; body: string | null; reveal: Revealing }) {
  const { t } = useTranslation("webhookLog");
  if (message.eventType !== "student.updated") return <p className="m-0 text-text-2">{t("diff.none")}</p>;
  if (body === null) return <Reveal message={message} reveal={reveal} />;
  const changed = changes(body) ?? [];
  if (changed.length === 0) return <p className="m-0 text-text-2">{t("diff.same")}</p>;
  const text = (value: unknown) =>
    value === null ? (
      <i className="text-text-3">{t("diff.absent")}</i>
    ) : typeof value === "string" ? (
      value
    ) : (
      JSON.stringify(value)
    );
  return (
    <table className="w-full border-collapse text-left">
      <thead className="text-label text-text-2">
        <tr>
          <th className="py-1 pr-2 font-medium">{t("diff.field")}</th>
          <th className="py-1 pr-2 font-medium">{t("diff.before")}</th>
          <th className="py-1 font-medium">{t("diff.after")}</th>
        </tr>
      </thead>
      <tbody className="font-mono text-label">
        {changed.map(({ field, before, after }) => (
          <tr key={field} className="border-0 border-t border-solid border-hairline align-top">
            <th scope="row" className="py-1.5 pr-2 font-normal">
              {field}
            </th>
            <td className="break-all bg-failed-tint py-1.5 px-2 text-failed">
              <del className="no-underline">{text(before)}</del>
            </td>
            <td className="break-all bg-delivered-tint py-1.5 px-2 text-delivered">
              <ins className="no-underline">{text(after)}</ins>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
