import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import type { ShellFailure } from "@/shell/host";

/** Failures that may pass by themselves; everything else is told at once. */
const PASSING = new Set(["unavailable", "deadline_exceeded", "not_connected", "aborted"]);

const codeOf = (error: unknown) => (error as ShellFailure).code;

/** The cache of what was read. A screen that had data keeps it while the server is away. */
export function newQueryClient(onSessionEnded: () => void = () => {}): QueryClient {
  const onError = (error: unknown) => {
    if (codeOf(error) === "unauthenticated") onSessionEnded();
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        retry: (count, error) => count < 2 && PASSING.has(codeOf(error)),
        retryDelay: (count) => 500 * 2 ** count,
        staleTime: 2_000,
        refetchOnWindowFocus: true,
        // The bridge is local: whether the browser thinks that it is online says nothing.
        networkMode: "always",
      },
      mutations: { networkMode: "always" },
    },
  });
}
