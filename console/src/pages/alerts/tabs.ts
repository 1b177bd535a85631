/** The tabs of an alert's details. The first is the usual one. */
import type { TabSpec } from "../../kit/Tabs";

export const TAB_NAMES = ["journey", "history", "notifications", "labels", "raw"] as const;
export type Tab = (typeof TAB_NAMES)[number];

const TITLES: Record<Tab, string> = {
  journey: "Journey",
  history: "History",
  notifications: "Notifications",
  labels: "Labels",
  raw: "Raw",
};

export const TABS: readonly TabSpec<Tab>[] = TAB_NAMES.map((id) => ({ id, title: TITLES[id] }));

/** The tab that is so many places further, around the end. */
export function tabFrom(tab: Tab, by: 1 | -1): Tab {
  return TAB_NAMES[(TAB_NAMES.indexOf(tab) + by + TAB_NAMES.length) % TAB_NAMES.length] as Tab;
}
