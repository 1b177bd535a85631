/** The silences, as the page and the form know them. */
import { readSilences } from "../../api";
import { resource } from "../../kit/resource";
import type { Silence } from "../../protocol";

export const silences = resource<Silence[]>(async () => (await readSilences()).silences);
