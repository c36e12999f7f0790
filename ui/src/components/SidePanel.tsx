import { X } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { IconButton, isCovered } from "./frame";
import { Scroller } from "./Scroller";

/** The details of a row beside its list. Esc closes it and gives the focus back. */
export function SidePanel({
  title,
  label,
  onClose,
  children,
}: {
  title: ReactNode;
  /** The panel's name for those who do not see it. */
  label: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const { t } = useTranslation();
  const panel = useRef<HTMLElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // A dialog or a menu above closes first.
      if (event.key !== "Escape" || event.defaultPrevented || isCovered()) return;
      const grid = panel.current?.parentElement?.querySelector<HTMLElement>("[role=grid]");
      close.current();
      grid?.focus();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  return (
    <aside
      ref={panel}
      aria-label={label}
      data-pane
      tabIndex={-1}
      className="flex w-[400px] max-w-[50%] shrink-0 flex-col overflow-hidden border-0 border-l border-solid border-hairline bg-surface outline-none"
    >
      <header className="flex min-h-11 items-center gap-2 border-0 border-b border-solid border-hairline py-1.5 pr-2 pl-4">
        <h2 className="m-0 min-w-0 flex-1 truncate text-section font-semibold">{title}</h2>
        <IconButton icon={X} label={t("act.close")} onClick={onClose} />
      </header>
      <Scroller className="min-h-0 flex-1 p-4">{children}</Scroller>
    </aside>
  );
}
