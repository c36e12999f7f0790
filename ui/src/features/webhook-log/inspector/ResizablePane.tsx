import { type KeyboardEvent, type PointerEvent, type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { isCovered } from "@/components/frame";
import { useKept } from "../kept";

const [LEAST, MOST, STEP] = [320, 900, 40];
const within = (width: number) => Math.min(MOST, Math.max(LEAST, width));

/** A panel at the right whose width is dragged, or set by the arrow keys, and kept. Esc closes it. */
export function ResizablePane({
  label,
  onClose,
  children,
}: {
  label: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const { t } = useTranslation("webhookLog");
  const [width, setWidth] = useKept("inspector", 460, (value): value is number => typeof value === "number");
  const begin = useRef<{ x: number; width: number } | null>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      // A dialog, a menu, or the filter that is being written closes first.
      if (event.key === "Escape" && !event.defaultPrevented && !isCovered()) close.current();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    setWidth(within(width + by));
  };
  const onPointerMove = (event: PointerEvent) => {
    if (begin.current) setWidth(within(begin.current.width + begin.current.x - event.clientX));
  };
  return (
    <aside
      aria-label={label}
      data-pane
      tabIndex={-1}
      className="relative flex max-w-[70%] shrink-0 flex-col overflow-hidden border-0 border-l border-solid border-hairline bg-surface outline-none"
      style={{ width: within(width) }}
    >
      <div
        role="separator"
        aria-orientation="vertical"
        aria-label={t("inspector.resize")}
        aria-valuemin={LEAST}
        aria-valuemax={MOST}
        aria-valuenow={within(width)}
        tabIndex={0}
        className="absolute inset-y-0 left-0 z-10 w-1.5 cursor-col-resize touch-none hover:bg-accent-selected"
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          begin.current = { x: event.clientX, width: within(width) };
        }}
        onPointerMove={onPointerMove}
        onPointerUp={() => {
          begin.current = null;
        }}
      />
      {children}
    </aside>
  );
}
