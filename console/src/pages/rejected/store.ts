/** What was refused, as the page knows it. */
import { readRejectedPage } from "../../api";
import { resource } from "../../kit/resource";
import type { RejectedPage } from "../../protocol";

export const rejected = resource<RejectedPage>(readRejectedPage);
