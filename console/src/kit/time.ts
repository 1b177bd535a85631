/** How times are worded. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time in at most two units: `45s`, `12m`, `3h 12m`, `2d 4h`, `34d`. */
export function wordDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`;
  if (ms < DAY) return two(ms, HOUR, "h", MINUTE, "m");
  if (ms < 10 * DAY) return two(ms, DAY, "d", HOUR, "h");
  return `${Math.floor(ms / DAY)}d`;
}

function two(ms: number, great: number, greatUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((ms % great) / small);
  return `${Math.floor(ms / great)}${greatUnit}${rest ? ` ${rest}${smallUnit}` : ""}`;
}

/** How long ago: `just now`, `5m ago`. */
export function wordAgo(at: number, now: number): string {
  return now - at < 2 * SECOND ? "just now" : `${wordDuration(now - at)} ago`;
}

/** How long still, rounded up, so that it never says nothing while something is left. */
export function wordLeft(until: number, now: number): string {
  const left = until - now;
  if (left <= 0) return "over";
  if (left < MINUTE) return `${Math.ceil(left / SECOND)}s left`;
  return `${wordDuration(Math.ceil(left / MINUTE) * MINUTE)} left`;
}

/** The time of day, with the day when it is not today's, in the zone of the reader unless another is given. */
export function wordTime(at: number, now: number, timeZone?: string): string {
  const zone = timeZone ? { timeZone } : {};
  const clock = new Intl.DateTimeFormat("en-GB", { ...zone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = new Intl.DateTimeFormat("en-GB", { ...zone, day: "numeric", month: "short", year: "numeric" });
  if (day.format(at) === day.format(now)) return clock.format(at);
  const year = new Intl.DateTimeFormat("en-GB", { ...zone, year: "numeric" });
  const dayText = year.format(at) === year.format(now) ? day.format(at).replace(/ \d+$/, "") : day.format(at);
  return `${dayText} ${clock.format(at)}`;
}

/** The whole time in the reader's zone and in UTC, for the hint that appears on pointing at a time. */
export function wordWholeTime(at: number, timeZone?: string): string {
  const local = new Intl.DateTimeFormat("en-GB", {
    ...(timeZone ? { timeZone } : {}),
    dateStyle: "full",
    timeStyle: "long",
  });
  return `${local.format(at)}\n${new Date(at).toISOString()}`;
}

/** The value of an `<input type="datetime-local">`, which is in the reader's zone and has no seconds. */
export function toLocalInput(at: number): string {
  const date = new Date(at);
  const pad = (number: number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}
