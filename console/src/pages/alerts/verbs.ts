/** What operators can do to alerts: the table of which toolbar, details, keys, palette and dialogs are made. */
import type { IconName } from "../../kit/Icon";

interface VerbSpec {
  title: string;
  icon: IconName;
  /** Its letter; with the shift key it asks for more where it would do without. */
  key: string;
  /** What it is called when it is done, before the number of alerts. */
  done: string;
  undoneBy: Undoing;
  /** Begins without a dialog. */
  atOnce?: boolean;
  /** Asks until when: the minutes to choose from, or also none. */
  time?: { legend: string; minutes: readonly number[]; chosen: number | null };
  /** Asks for a person. */
  person?: string;
  /** Asks whether changes of the alert end it. */
  sticky?: boolean;
  comment: "none" | "optional" | "required";
}

export const VERB_NAMES = ["acknowledge", "snooze", "downtime", "handle", "assign", "comment", "resolve"] as const;
export type Verb = (typeof VERB_NAMES)[number];
export type Undoing =
  | "unacknowledge"
  | "unsnooze"
  | "cancel_downtime"
  | "unhandle"
  | "unassign"
  | "unamend"
  | "uncomment"
  | "unresolve";

export const VERBS: Record<Verb, VerbSpec> = {
  acknowledge: {
    title: "Acknowledge",
    icon: "acknowledge",
    key: "a",
    done: "Acknowledged",
    undoneBy: "unacknowledge",
    atOnce: true,
    comment: "optional",
  },
  snooze: {
    title: "Snooze",
    icon: "snooze",
    key: "s",
    done: "Snoozed",
    undoneBy: "unsnooze",
    time: { legend: "Hide for", minutes: [10, 30, 60, 240, 480], chosen: 30 },
    sticky: true,
    comment: "optional",
  },
  downtime: {
    title: "Downtime",
    icon: "downtime",
    key: "d",
    done: "In downtime:",
    undoneBy: "cancel_downtime",
    time: { legend: "Expected for", minutes: [30, 60, 120, 240, 1440], chosen: 60 },
    comment: "optional",
  },
  handle: {
    title: "Handle",
    icon: "handle",
    key: "h",
    done: "Handling",
    undoneBy: "unhandle",
    time: { legend: "For", minutes: [30, 60, 120, 240, 480], chosen: 60 },
    person: "Who works on it",
    comment: "none",
  },
  assign: {
    title: "Assign",
    icon: "assign",
    key: "g",
    done: "Assigned",
    undoneBy: "unassign",
    time: { legend: "For", minutes: [240, 480, 1440], chosen: null },
    person: "To whom",
    comment: "optional",
  },
  comment: {
    title: "Comment",
    icon: "comment",
    key: "c",
    done: "Commented on",
    undoneBy: "uncomment",
    comment: "required",
  },
  resolve: {
    title: "Resolve",
    icon: "resolve",
    key: "r",
    done: "Resolved",
    undoneBy: "unresolve",
    comment: "optional",
  },
};

/** What taking something back is called when it is done, before the number of alerts. */
export const UNDONE: Record<Undoing, string> = {
  unacknowledge: "Took back the acknowledgement of",
  unsnooze: "Ended the snooze of",
  cancel_downtime: "Cancelled the downtime of",
  unhandle: "Ended the handling of",
  unassign: "Took back the assignment of",
  unamend: "Took back what was amended of",
  uncomment: "Took back the comment on",
  unresolve: "Reopened",
};
