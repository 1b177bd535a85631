/** The part of the site that the console shows: the names of environments, and the scenarios. */
import { readSite } from "./api";
import { resource } from "./kit/resource";
import type { Site } from "./protocol";

export const site = resource<Site>(readSite);
