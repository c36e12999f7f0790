import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useMemo } from "react";
import { newQueryClient } from "@/api/client";
import { HostProvider } from "@/shell/context";
import type { SchoolHost } from "@/shell/host";
import { Theme } from "@/theme/Theme";
import { newRouter } from "./routes";

/** The whole School Desk. Tests give it a fake host. */
export function App({ host, motion }: { host: SchoolHost; motion?: boolean }) {
  const client = useMemo(() => newQueryClient(), []);
  const router = useMemo(() => newRouter(), []);
  return (
    <HostProvider host={host}>
      <QueryClientProvider client={client}>
        <Theme app="school" motion={motion}>
          {/* The router's type is the Provider Console's: an app has one. */}
          <RouterProvider router={router as never} />
        </Theme>
      </QueryClientProvider>
    </HostProvider>
  );
}
