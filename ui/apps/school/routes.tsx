import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { Shell } from "./Shell";

const root = createRootRoute({ component: Shell });

const screen = <P extends string>(path: P, load: () => Promise<{ default: React.ComponentType }>) =>
  createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load) });

const tree = root.addChildren([
  screen("/", () => import("@/features/desk-status/Status")),
  screen("/enroll", () => import("@/features/desk-enroll/Enroll")),
  screen("/roster", () => import("@/features/desk-roster/Roster")),
  screen("/events", () => import("@/features/desk-events/Events")),
  screen("/signature", () => import("@/features/desk-signature/Signature")),
  screen("/rotate", () => import("@/features/desk-rotate/Rotate")),
  screen("/settings", () => import("@/features/desk-settings/Settings")),
]);

/** The desk's router; the page's hash holds the place. */
export function newRouter() {
  return createRouter({ routeTree: tree, history: createHashHistory(), defaultPreload: "intent" });
}
