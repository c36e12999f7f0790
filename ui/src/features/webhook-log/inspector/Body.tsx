import { Segmented } from "antd";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/components/Copy";
import { formatBytes } from "../looks";
import { fromBase64, hexDump, prettyJson, toText } from "./bytes";

type View = "pretty" | "raw" | "bytes";
/** A page with more text than this scrolls badly; bodies are rarely larger. */
const MOST_BYTES = 256 * 1_024;

/** A body to be read: set out, as it is, or byte by byte. It is never changed. */
export function Body({ base64, label }: { base64: string; label: string }) {
  const { t } = useTranslation("webhookLog");
  const [view, setView] = useState<View>("pretty");
  const bytes = useMemo(() => fromBase64(base64), [base64]);
  const shown = useMemo(() => {
    const part = bytes.subarray(0, MOST_BYTES);
    if (view === "bytes") return hexDump(part);
    return view === "pretty" ? prettyJson(toText(part)) : toText(part);
  }, [bytes, view]);
  return (
    <div className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <Segmented<View>
          size="small"
          aria-label={t("body.view")}
          value={view}
          onChange={setView}
          options={(["pretty", "raw", "bytes"] as const).map((value) => ({ value, label: t(`body.${value}`) }))}
        />
        <CopyButton text={toText(bytes)} label={t("body.copyBody")} />
        <span className="text-label text-text-3">
          {view !== "bytes" && t(view === "raw" ? "body.rawHint" : "body.prettyHint")}
        </span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre
        tabIndex={0}
        role="region"
        aria-label={label}
        className={`m-0 max-h-[60vh] overflow-auto rounded-control bg-surface-2 p-3 ${
          view === "bytes" ? "whitespace-pre" : "whitespace-pre-wrap break-all"
        }`}
      >
        {shown}
      </pre>
      {bytes.length > MOST_BYTES && (
        <p className="m-0 text-label text-text-3">{t("body.cut", { size: formatBytes(MOST_BYTES) })}</p>
      )}
    </div>
  );
}
