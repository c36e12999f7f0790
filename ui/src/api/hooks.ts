import {
  keepPreviousData,
  type QueryClient,
  type UseQueryOptions,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useHost } from "@/shell/context";
import type { Host, ShellFailure, StreamEvent } from "@/shell/host";
import type { Method, RequestOf, ResponseOf, StreamMethod } from "./methods";

/** One rpc, typed by the schema. */
export function call<M extends Method>(host: Host, method: M, request: RequestOf<M>): Promise<ResponseOf<M>> {
  return host.call(method, request as object) as Promise<ResponseOf<M>>;
}

type CallOptions<M extends Method> = Omit<
  UseQueryOptions<ResponseOf<M>, ShellFailure, ResponseOf<M>>,
  "queryKey" | "queryFn"
>;

/** Reads by an rpc; the cache's key is the method and its request. */
export function useCall<M extends Method>(method: M, request: RequestOf<M>, options: CallOptions<M> = {}) {
  const host = useHost();
  return useQuery<ResponseOf<M>, ShellFailure>({
    ...options,
    queryKey: [method, request],
    queryFn: () => call(host, method, request),
  });
}

/** Reads page after page by an rpc with `pageToken` and `nextPageToken`. */
export function usePages<M extends Method>(
  method: M,
  request: RequestOf<M>,
  {
    keep = false,
    ...options
  }: {
    enabled?: boolean;
    /** In ms. */
    refetchInterval?: number;
    /** Shows what was read until another request has answered. */
    keep?: boolean;
  } = {},
) {
  const host = useHost();
  return useInfiniteQuery<ResponseOf<M>, ShellFailure, { pages: ResponseOf<M>[] }, unknown[], string>({
    ...options,
    queryKey: [method, request, "pages"],
    queryFn: ({ pageParam }) => call(host, method, { ...(request as object), pageToken: pageParam } as RequestOf<M>),
    initialPageParam: "",
    placeholderData: keep ? keepPreviousData : undefined,
    getNextPageParam: (last) => (last as { nextPageToken: string }).nextPageToken || undefined,
  });
}

/** Acts by an rpc. What was read by `touches` (methods or whole services) is read again afterwards. */
export function useAct<M extends Method>(method: M, touches: string[] = []) {
  const host = useHost();
  const client = useQueryClient();
  return useMutation<ResponseOf<M>, ShellFailure, RequestOf<M>>({
    mutationFn: (request) => call(host, method, request),
    onSuccess: () => refresh(client, touches),
  });
}

/** Reads again everything that methods, or services named without a method, answered. */
export function refresh(client: QueryClient, touches: string[]) {
  return client.invalidateQueries({
    predicate: ({ queryKey: [method] }) =>
      touches.some((touched) => method === touched || String(method).startsWith(`${touched}/`)),
  });
}

/** Follows a stream while the component lives. `onEvent` may change without opening it anew. */
export function useStream<M extends StreamMethod>(
  method: M,
  request: RequestOf<M> | null,
  onEvent: (event: Exclude<StreamEvent, { kind: "message" }> | { kind: "message"; message: ResponseOf<M> }) => void,
) {
  const host = useHost();
  const latest = useRef(onEvent);
  latest.current = onEvent;
  const key = request === null ? null : JSON.stringify(request);
  useEffect(() => {
    if (key === null) return;
    return host.openStream(method, JSON.parse(key), (event) => latest.current(event as Parameters<typeof onEvent>[0]));
  }, [host, method, key]);
}
