/** The words shown for what the protocol names. */

import type { IconName } from "../../kit/Icon";
import type { Amended, Expected, HistoryKind, LedgerState, Reason } from "../../protocol";
import type { State } from "./facets";

export const STATE_ICONS = {
  active: "active",
  snoozed: "snooze",
  acknowledged: "acknowledge",
  in_downtime: "downtime",
  assigned: "assign",
  handled: "handle",
  silenced: "silence",
} as const satisfies Record<State, IconName>;

/** A state, for reading. */
export function stateWord(state: State): string {
  return state === "in_downtime" ? "in downtime" : state;
}

/** How a line of the ledger stands, and how it is to be taken. */
export const LEDGER_WORDS: Record<LedgerState, { text: string; tone: "good" | "pending" | "bad" }> = {
  opening: { text: "being sent", tone: "pending" },
  open: { text: "delivered", tone: "good" },
  closing: { text: "the end is being sent", tone: "pending" },
  closed: { text: "the end was delivered", tone: "good" },
  failed: { text: "not delivered", tone: "bad" },
  not_closed: { text: "the end was not delivered: close it by hand", tone: "bad" },
};

/** The kinds of history that are about what people did. */
const OF_PEOPLE: ReadonlySet<HistoryKind> = new Set([
  "acknowledged",
  "unacknowledged",
  "snoozed",
  "unsnoozed",
  "downtime_began",
  "downtime_ended",
  "handled",
  "unhandled",
  "assigned",
  "unassigned",
  "commented",
  "uncommented",
]);

/** Whether a line of history is something that a person did. */
export function isOfPeople(kind: HistoryKind, actor: string): boolean {
  return OF_PEOPLE.has(kind) || actor.startsWith("operator ");
}

/** How a line of history looks in the time line. */
export function historyTone(kind: HistoryKind): "begin" | "change" | "end" | "people" | "notified" | "bad" | "quiet" {
  if (OF_PEOPLE.has(kind)) return "people";
  switch (kind) {
    case "opened":
    case "reopened":
      return "begin";
    case "severity_changed":
    case "updated":
    case "rerouted":
      return "change";
    case "closed":
      return "end";
    case "notified":
    case "notifying":
      return "notified";
    case "not_delivered":
    case "refused":
    case "retrying":
      return "bad";
    default:
      return "quiet";
  }
}

/** The parts of an alert that were amended, for reading. */
export function amendedWords(amended: Amended): string {
  const { severity, name, output, scenario, labels = {}, tags = {} } = amended;
  const parts = Object.entries({ severity, name, output, scenario }).filter(([, value]) => value !== undefined);
  return [...parts.map(([part]) => part), ...Object.keys(labels), ...Object.keys(tags)].join(", ");
}

/** A kind of history, for reading. */
export function historyWord(kind: HistoryKind): string {
  const words = kind.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The kind of a reason, for reading; the message of its line says more. */
export function reasonWord(reason: Reason): string {
  const words = reason.type.replaceAll("_", " ");
  return reason.type === "held" ? `${words}: ${reason.hold}` : words;
}

/** What is still to come besides steps, which have numbers. */
export const EXPECTED_WORDS: Record<Exclude<Expected["type"], "step">, string> = {
  retry: "Retry",
  no_scenario: "No scenario",
  hold_end: "Hold ends",
  source_silent: "Ends by silence",
  heartbeat_missed: "Heartbeat due",
};
