import { Check, Copy as CopyIcon } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

/** Copies a text. The tick appears only once the clipboard has it. */
export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);
  const name = copied ? t("act.copied") : (label ?? t("act.copy"));
  return (
    <button
      type="button"
      aria-label={name}
      title={name}
      className="inline-flex h-6 w-6 shrink-0 items-center justify-center rounded-chip border-0 bg-transparent text-text-3 hover:bg-surface-2 hover:text-text-1"
      onClick={(event) => {
        event.stopPropagation();
        navigator.clipboard.writeText(text).then(
          () => setCopied(true),
          () => setCopied(false),
        );
      }}
    >
      {copied ? <Check size={14} className="text-delivered" /> : <CopyIcon size={14} />}
    </button>
  );
}

/** An id, address or other exact text in mono, with its copy button. */
export function Exact({ children, text }: { children?: ReactNode; text: string }) {
  return (
    <span className="inline-flex max-w-full items-center gap-1">
      <code className="truncate" title={text}>
        {children ?? text}
      </code>
      <CopyButton text={text} />
    </span>
  );
}
