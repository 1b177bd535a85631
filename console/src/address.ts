/** The address of the page, as a signal; pages write it with {@link go}. */
import { signal } from "@preact/signals";

/** Path and query. */
export const address = signal(location.pathname + location.search);

addEventListener("popstate", () => {
  address.value = location.pathname + location.search;
});

/** The entry of the browser's history that was left for the present one, if the console knows it. */
interface Entry {
  from?: string;
}

/** Go to another address of the console: as a new entry of the browser's history, or in place of the present one. */
export function go(url: string, { replace = false } = {}): void {
  const here = location.pathname + location.search;
  if (url === here && location.hash === "") return;
  const entry: Entry = replace ? ((history.state as Entry | null) ?? {}) : { from: here };
  if (replace) history.replaceState(entry, "", url);
  else history.pushState(entry, "", url);
  address.value = url;
  // The router follows this event.
  dispatchEvent(new PopStateEvent("popstate", { state: entry }));
}

/** Leave what was opened on the way here: back where the reader came from, or in its place when that was elsewhere. */
export function leaveTo(url: string): void {
  if ((history.state as Entry | null)?.from === url) history.back();
  else go(url, { replace: true });
}

/** Bring an address of an older console, which stood in the hash, to where it is today. */
export function redirectOld(): void {
  if (!location.hash.includes("=")) return;
  const parameters = new URLSearchParams(location.hash.slice(1));
  const alert = parameters.get("alert");
  parameters.delete("alert");
  const query = parameters.toString();
  const path = alert && /^[0-9a-f]{32}$/.test(alert) ? `/alerts/${alert}` : "/alerts";
  history.replaceState(null, "", query ? `${path}?${query}` : path);
  address.value = location.pathname + location.search;
}
