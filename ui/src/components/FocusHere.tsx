import { type ReactNode, useEffect, useRef } from "react";

/** Takes the focus when it comes: the next step of something, whose button before is gone. Tab goes on from here. */
export function FocusHere({ children }: { children: ReactNode }) {
  const here = useRef<HTMLDivElement>(null);
  useEffect(() => here.current?.focus(), []);
  return (
    <div ref={here} tabIndex={-1} className="outline-none">
      {children}
    </div>
  );
}
