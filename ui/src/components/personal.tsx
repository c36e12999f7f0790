import type { ReactNode } from "react";
import { usePreferences } from "@/theme/preferences";

/** A name or another personal value: masked while personal data is hidden. */
export function Personal({ children }: { children: ReactNode }) {
  const { hidePersonal } = usePreferences();
  if (!hidePersonal || children === undefined || children === "") return <>{children}</>;
  return <span aria-hidden>•••••</span>;
}
