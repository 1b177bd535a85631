/** The part of the site that the console shows: the names of environments, and the scenarios. */
import { computed } from "@preact/signals";
import { readSite } from "./api";
import { resource } from "./kit/resource";
import type { Site } from "./protocol";

export const site = resource<Site>(readSite);

/** The scenarios that notify someone; null while they are not known. */
const notifying = computed(() => {
  const known = site.value.value?.scenarios;
  return known ? new Set(known.filter(({ steps }) => steps.length > 0).map(({ name }) => name)) : null;
});

/** Whether it is known that a scenario notifies no one: it has no steps, or the site has no such scenario. */
export function notifiesNoOne(scenario: string): boolean {
  return notifying.value !== null && !notifying.value.has(scenario);
}
