/** What all pages share: the line to the server, its clock, who works here, and how the console looks. */
import { computed, effect, signal } from "@preact/signals";
import type { ConnectionStatus } from "./connection";
import { load, save } from "./kit/storage";
import type { Session } from "./protocol";

export const status = signal<ConnectionStatus>({ kind: "connecting" });
/** When a frame last came, by the clock of this machine; null before the first. */
export const lastFrameAt = signal<number | null>(null);
/** Since when the server's view has heard nothing, by the server's clock, when that is long ago. */
export const viewSilentSince = signal<number | null>(null);
/** The server's clock minus the one here. */
export const clockOffset = signal(0);
/** The server's time, once a second while the page is visible. */
export const clock = signal(Date.now());

export const session = signal<Session | null>(null);
export const needsToken = signal(false);
export const ownName = signal(load("name"));
export const author = computed(() => session.value?.user ?? ownName.value);

/** Whether single letters do anything. */
export const lettersOn = signal(load("letters") !== "off");

export type Theme = "system" | "light" | "dark";
const keptTheme = load("theme");
export const theme = signal<Theme>(keptTheme === "light" || keptTheme === "dark" ? keptTheme : "system");

/** Whether what is shown may be old: why, and since when by the clock of this machine. */
export const stale = computed<{ why: "line" | "view"; since: number } | null>(() => {
  if (lastFrameAt.value === null) return null;
  if (status.value.kind !== "live") return { why: "line", since: lastFrameAt.value };
  if (viewSilentSince.value !== null) return { why: "view", since: viewSilentSince.value - clockOffset.value };
  return null;
});

/** The server's time now. */
export function serverNow(): number {
  return Date.now() + clockOffset.peek();
}

/** Keeps the storage and the document in step with the signals. */
export function keepSession(): void {
  effect(() => {
    save("theme", theme.value === "system" ? null : theme.value);
    if (theme.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
  });
  effect(() => save("name", ownName.value));
  effect(() => save("letters", lettersOn.value ? null : "off"));
  setInterval(() => {
    if (!document.hidden) clock.value = serverNow();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) clock.value = serverNow();
  });
}
