/** The pages of the console: one table, of which the router, the navigation and the palette are made. */
import { lazy } from "preact-iso";
import type { IconName } from "../kit/Icon";
import { Alerts } from "../pages/alerts/Alerts";

export interface Page {
  path: string;
  /** As the router writes it. */
  route: string;
  title: string;
  icon: IconName;
  /** Found by the palette only. */
  isHidden?: boolean;
  component: preact.ComponentType<{ path?: string }>;
}

/** The alerts come with the console; each of the others is loaded when it is opened. */
export const PAGES: readonly Page[] = [
  { path: "/alerts", route: "/alerts/:id?", title: "Alerts", icon: "active", component: Alerts },
  {
    path: "/silences",
    route: "/silences",
    title: "Silences",
    icon: "silence",
    component: lazy(() => import("../pages/silences/Silences")),
  },
  {
    path: "/integrations",
    route: "/integrations",
    title: "Integrations",
    icon: "webhook",
    component: lazy(() => import("../pages/integrations/Integrations")),
  },
  {
    path: "/heartbeats",
    route: "/heartbeats",
    title: "Heartbeats",
    icon: "heartbeat",
    component: lazy(() => import("../pages/heartbeats/Heartbeats")),
  },
  {
    path: "/site",
    route: "/site",
    title: "Site",
    icon: "edit",
    component: lazy(() => import("../pages/site/SitePage")),
  },
  {
    path: "/wall",
    route: "/wall",
    title: "Wall board",
    icon: "system",
    isHidden: true,
    component: lazy(() => import("../pages/wall/Wall")),
  },
  {
    path: "/rejected",
    route: "/rejected/:id?",
    title: "Rejected",
    icon: "rejected",
    component: lazy(() => import("../pages/rejected/Rejected")),
  },
];

/** The pages that the navigation shows. */
export const SHOWN_PAGES = PAGES.filter((page) => !page.isHidden);
