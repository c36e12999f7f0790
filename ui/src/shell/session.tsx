import { createContext, type ReactNode, useContext } from "react";
import type { Session } from "./host";

interface Held {
  session: Session;
  signOut: () => Promise<void>;
}

const SessionContext = createContext<Held | null>(null);

/** Who is signed in, for everything below. */
export function SessionProvider({ session, signOut, children }: Held & { children: ReactNode }) {
  return <SessionContext.Provider value={{ session, signOut }}>{children}</SessionContext.Provider>;
}

export function useSession(): Held {
  const held = useContext(SessionContext);
  if (!held) throw new Error("no SessionProvider above");
  return held;
}

export type StaffRole = "ROLE_VIEWER" | "ROLE_AUDITOR" | "ROLE_OPERATOR" | "ROLE_OWNER";

/** Whether the account may do what needs one of these roles; an owner may do everything. Only the server decides. */
export function useMay(...roles: StaffRole[]): boolean {
  const { role } = useSession().session.staff;
  return role === "ROLE_OWNER" || roles.some((wanted) => wanted === role);
}
