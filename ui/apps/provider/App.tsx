import { QueryClientProvider, useQuery, useQueryClient } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { newQueryClient } from "@/api/client";
import SignIn from "@/features/sign-in/SignIn";
import { HostProvider, useProviderHost } from "@/shell/context";
import type { ProviderHost, Session, ShellFailure } from "@/shell/host";
import { SessionProvider } from "@/shell/session";
import { Theme } from "@/theme/Theme";
import { newRouter } from "./routes";

/** The whole Provider Console. Tests give it a fake host. */
export function App({ host, motion }: { host: ProviderHost; motion?: boolean }) {
  const [ended, setEnded] = useState(false);
  const client = useMemo(() => newQueryClient(() => setEnded(true)), []);
  return (
    <HostProvider host={host}>
      <QueryClientProvider client={client}>
        <Theme app="provider" motion={motion}>
          <Gate ended={ended} onSignedIn={() => setEnded(false)} />
        </Theme>
      </QueryClientProvider>
    </HostProvider>
  );
}

/** Nobody comes past this without a session. The log and secret windows belong to the session of the main one. */
function Gate({ ended, onSignedIn }: { ended: boolean; onSignedIn: () => void }) {
  const host = useProviderHost();
  const client = useQueryClient();
  const isMain = !/^#\/(webhook-logs|secret-once)\//.test(window.location.hash);
  // The secret's window may do nothing but its one call: it does not even learn who is signed in.
  const isSecret = window.location.hash.startsWith("#/secret-once/");
  const session = useQuery({
    queryKey: ["session"],
    enabled: !isSecret,
    queryFn: () => (isMain ? host.resumeSession() : host.session()),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const router = useMemo(() => newRouter(), []);
  if (isSecret) return <RouterProvider router={router} />;
  if (session.isPending) return null;
  /** Forgets what an account read and did, and who it was. */
  const become = (next: Session | null) => {
    client.getMutationCache().clear();
    client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" });
    client.setQueryData(["session"], next);
  };
  const enter = (opened: Session) => {
    become(opened);
    onSignedIn();
  };
  if (!session.data || (ended && isMain)) {
    return <SignIn ended={ended} problem={(session.error as ShellFailure | null) ?? null} onSignedIn={enter} />;
  }
  const leave = async () => {
    await host.signOut();
    become(null);
    // Who comes next begins at the beginning, and not where this one was.
    await router.navigate({ to: "/" });
  };
  return (
    <SessionProvider session={session.data} signOut={leave}>
      <RouterProvider router={router} />
    </SessionProvider>
  );
}
