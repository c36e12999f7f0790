import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from "@tanstack/react-router";
import { Shell } from "./Shell";

const root = createRootRoute({ component: Outlet });
/** Screens inside the main window's frame. */
const framed = createRoute({ getParentRoute: () => root, id: "framed", component: Shell });

const inFrame = <P extends string>(path: P, load: () => Promise<{ default: React.ComponentType }>) =>
  createRoute({ getParentRoute: () => framed, path, component: lazyRouteComponent(load) });
/** Windows of their own, without the frame. */
const alone = <P extends string>(path: P, load: () => Promise<{ default: React.ComponentType }>) =>
  createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load) });

/** The tab is part of the place, so that a link can lead to it. */
const schoolDetail = createRoute({
  getParentRoute: () => framed,
  path: "/schools/$school",
  validateSearch: ({ tab }: { tab?: unknown }): { tab?: string } => (typeof tab === "string" ? { tab } : {}),
  component: lazyRouteComponent(() => import("@/features/schools/SchoolDetail")),
});

const tree = root.addChildren([
  framed.addChildren([
    inFrame("/", () => import("@/features/dashboard/Dashboard")),
    inFrame("/schools", () => import("@/features/schools/Schools")),
    schoolDetail,
    inFrame("/register-school", () => import("@/features/schools/RegisterSchool")),
    inFrame("/students", () => import("@/features/students/Students")),
    inFrame("/imports", () => import("@/features/imports/Imports")),
    inFrame("/imports/$run", () => import("@/features/imports/ImportRun")),
    inFrame("/undelivered", () => import("@/features/undelivered/Undelivered")),
    inFrame("/analytics", () => import("@/features/analytics/Analytics")),
    inFrame("/staff", () => import("@/features/staff/Staff")),
    inFrame("/audit", () => import("@/features/audit/Audit")),
  ]),
  alone("/webhook-logs/$school", () => import("@/features/webhook-log/WebhookLog")),
  alone("/secret-once/$school/$act", () => import("@/features/secret-once/SecretOnce")),
]);

/** A router for one window; the page's hash holds the place. */
export function newRouter() {
  return createRouter({ routeTree: tree, history: createHashHistory(), defaultPreload: "intent" });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof newRouter>;
  }
}
