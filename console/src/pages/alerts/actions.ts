/** What operators can do, how each is undone, and how the answer is worded. */
import type { ActionFields, ActionResult, Alert } from "../../protocol";
import { UNDONE, type Undoing, VERBS, type Verb } from "./verbs";

/** One call of the API: the same thing done to some alerts. */
export interface Call {
  verb: Verb | Undoing;
  alerts: string[];
  fields: ActionFields;
}

/** One call, however often it is made: with one key, and with what was there before the first time. */
export interface Attempt {
  what: string;
  key: string;
  before: ReadonlyMap<string, Alert>;
}

/** The last attempt if this is the same call again, or else a new one. */
export function attempted(last: Attempt | null, call: Call, begin: () => Omit<Attempt, "what">): Attempt {
  const what = JSON.stringify(call);
  return last?.what === what ? last : { what, ...begin() };
}

/**
 * The calls that take an action back, for the alerts it was applied to. Where the action replaced a snooze, a handling
 * or an assignment that still stands, the old one is put back instead of leaving none.
 */
export function undo(
  call: Call,
  applied: ReadonlySet<string>,
  before: ReadonlyMap<string, Alert>,
  now: number,
): Call[] {
  const verb = call.verb as Verb;
  const calls = new Map<string, Call>();
  for (const id of call.alerts) {
    if (!applied.has(id)) continue;
    const fields = replaced(verb, before.get(id), now);
    const next: Call = fields ? { verb, alerts: [], fields } : { verb: VERBS[verb].undoneBy, alerts: [], fields: {} };
    const key = JSON.stringify([next.verb, next.fields]);
    const known = calls.get(key) ?? next;
    known.alerts.push(id);
    calls.set(key, known);
  }
  return [...calls.values()];
}

function replaced(verb: Verb, alert: Alert | undefined, now: number): ActionFields | null {
  const standing = (until: string | undefined) => until === undefined || Date.parse(until) > now;
  if (verb === "snooze" && alert?.snooze && standing(alert.snooze.until)) {
    const { until, sticky_severity, sticky_output, comment } = alert.snooze;
    return { until, sticky_severity, sticky_output, ...(comment === undefined ? {} : { comment }) };
  }
  if (verb === "downtime" && alert?.downtime && standing(alert.downtime.until)) {
    const { until, comment } = alert.downtime;
    return { until, ...(comment === undefined ? {} : { comment }) };
  }
  if (verb === "handle" && alert?.handling && standing(alert.handling.until))
    return { until: alert.handling.until, assignee: alert.handling.assignee };
  if (verb === "assign" && alert?.assignment && standing(alert.assignment.until)) {
    const { assignee, until, comment } = alert.assignment;
    return { assignee, ...(until === undefined ? {} : { until }), ...(comment === undefined ? {} : { comment }) };
  }
  return null;
}

export interface Summary {
  text: string;
  /** Why something was not done, where the server says so. */
  reason: string | null;
  failed: boolean;
}

/** Say in one line what became of an action: `Acknowledged 3 alerts, 1 refused`. */
export function summarize(verb: Verb | Undoing, results: readonly ActionResult[]): Summary {
  const count = (outcome: ActionResult["outcome"]) => results.filter((result) => result.outcome === outcome).length;
  const applied = count("applied");
  const rest = [
    [count("unchanged"), "unchanged"],
    [count("refused"), "refused"],
    [count("unknown"), "not known"],
  ] as const;
  const others = rest
    .filter(([number]) => number > 0)
    .map(([number, word]) => `${number.toLocaleString("en")} ${word}`);
  const reason = results.find((result) => result.outcome !== "applied" && result.reason)?.reason ?? null;
  const failed = applied === 0 && count("refused") + count("unknown") > 0;
  if (applied > 0) return { text: [`${doneWord(verb)} ${countAlerts(applied)}`, ...others].join(", "), reason, failed };
  if (count("unchanged") === results.length)
    return { text: `${countAlerts(results.length)}: nothing to change`, reason, failed };
  return { text: `Not done: ${others.join(", ")}`, reason, failed };
}

/** Whether this takes something back. */
export function isUndoing(verb: Verb | Undoing): verb is Undoing {
  return verb in UNDONE;
}

function doneWord(verb: Verb | Undoing): string {
  return isUndoing(verb) ? UNDONE[verb] : VERBS[verb].done;
}

/** `1 alert`, `1,204 alerts`. */
export function countAlerts(count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? "alert" : "alerts"}`;
}

/** Parts of a list, so that a storm's worth of alerts does not go into one request. */
export function inParts<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < list.length; start += size) parts.push(list.slice(start, start + size));
  return parts;
}
