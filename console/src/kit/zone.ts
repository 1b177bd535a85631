/** The zone in which all times are shown and typed: the browser's, or UTC. */
import { effect, signal } from "@preact/signals";
import { serverNow } from "../session";
import { load, save } from "./storage";
import { toLocalInput, wordTime, wordWholeTime } from "./time";

export const ZONES = ["browser", "utc"] as const;
export type Zone = (typeof ZONES)[number];

export const zone = signal<Zone>(load("zone") === "utc" ? "utc" : "browser");
effect(() => save("zone", zone.value === "browser" ? null : zone.value));

function timeZone(): string | undefined {
  return zone.value === "utc" ? "UTC" : undefined;
}

/** What is written behind a time whose zone is not the usual one. */
function suffix(): string {
  return zone.value === "utc" ? " UTC" : "";
}

/** A time with its seconds, and with the day when it is not today. */
export function timeText(at: number): string {
  return wordTime(at, serverNow(), timeZone()) + suffix();
}

/** The same to the minute. */
export function minuteText(at: number): string {
  return wordTime(at, serverNow(), timeZone()).replace(/:\d\d$/, "") + suffix();
}

/** The whole time, for the hint that appears on pointing at a time. */
export function wholeText(at: number): string {
  return wordWholeTime(at, timeZone());
}

/** A time as the value of an `<input type="datetime-local">`. */
export function toInput(at: number): string {
  return zone.value === "utc" ? new Date(at).toISOString().slice(0, "2026-01-01T00:00".length) : toLocalInput(at);
}

/** The time that was typed into such a box; not a number when it is none. */
export function fromInput(text: string): number {
  return Date.parse(zone.peek() === "utc" ? `${text}Z` : text);
}

/** What the box for a time is called. */
export function inputLabel(): string {
  return `Until${suffix()}`;
}
