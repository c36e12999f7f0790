import { createContext, type ReactNode, useContext } from "react";
import type { Host, ProviderHost, SchoolHost } from "./host";

const HostContext = createContext<Host | null>(null);

/** Gives a page its program: the real one, or a fake in tests and in a browser. */
export function HostProvider({ host, children }: { host: Host; children: ReactNode }) {
  return <HostContext.Provider value={host}>{children}</HostContext.Provider>;
}

/** The program around this page. */
export function useHost(): Host {
  const host = useContext(HostContext);
  if (!host) throw new Error("no HostProvider above");
  return host;
}

/** The Provider Console's program. */
export const useProviderHost = () => useHost() as ProviderHost;

/** School Desk's program. */
export const useSchoolHost = () => useHost() as SchoolHost;
