/** The words shown for what the protocol names. */
import type { Amended, Channel, HistoryKind, LedgerState, OperatorState } from "../protocol";
import type { IconName } from "./Icon";

/** A state of an operator, for reading. */
export function stateWord(state: OperatorState): string {
  return state === "in_downtime" ? "in downtime" : state;
}

/** How a line of the ledger stands, and how it is to be taken. */
export const LEDGER_WORDS: Record<LedgerState, { text: string; tone: "good" | "pending" | "bad" }> = {
  opening: { text: "being told", tone: "pending" },
  open: { text: "told", tone: "good" },
  closing: { text: "being told of the end", tone: "pending" },
  closed: { text: "told of the end", tone: "good" },
  failed: { text: "could not be told", tone: "bad" },
  not_closed: { text: "not told of the end: somebody has to look", tone: "bad" },
};

export const CHANNEL_ICONS: Record<Channel, IconName> = { slack: "chat", email: "mail", webhook: "webhook" };

/** The kinds of history that are about what people did. */
const OF_PEOPLE: ReadonlySet<HistoryKind> = new Set([
  "acknowledged",
  "unacknowledged",
  "snoozed",
  "unsnoozed",
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
export function historyTone(kind: HistoryKind): "begin" | "change" | "end" | "people" | "told" | "bad" | "quiet" {
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
      return "told";
    case "not_delivered":
    case "refused":
    case "retrying":
      return "bad";
    default:
      return "quiet";
  }
}

/** The parts of an alert that somebody amended, for reading. */
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
