import { useTranslation } from "react-i18next";
import { CopyButton } from "@/components/Copy";
import type { Header } from "@/gen/rollcall/provider/v1/log";

/** Headers in their order. */
export function Headers({ headers, title }: { headers: Header[]; title: string }) {
  const { t } = useTranslation("webhookLog");
  return (
    <section aria-label={title}>
      <div className="flex items-center gap-1">
        <h3 className="m-0 text-label font-medium text-text-2">{title}</h3>
        {headers.length > 0 && <CopyButton text={headers.map(({ name, value }) => `${name}: ${value}`).join("\n")} />}
      </div>
      {headers.length === 0 ? (
        <p className="m-0 text-text-3">{t("body.noHeaders")}</p>
      ) : (
        <dl className="m-0 grid grid-cols-[minmax(90px,auto)_1fr] gap-x-3 gap-y-0.5 font-mono text-label">
          {headers.map(({ name, value }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a header may come twice, and the order stands
            <div key={index} className="contents">
              <dt className="text-text-3">{name}</dt>
              <dd className="m-0 break-all">{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
