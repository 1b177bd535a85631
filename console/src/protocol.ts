/**
 * What the server and the console say to each other. Mirrors the Rust types in `schemas/src`; a test checks it
 * against the examples there. Times are RFC 3339 in UTC.
 */

export const SEVERITIES = ["ok", "information", "warning", "critical", "unknown", "urgent", "down"] as const;
/** How bad it is; the place in {@link SEVERITIES} is the severity's number. */
export type Severity = (typeof SEVERITIES)[number];

export const OPERATOR_STATES = ["active", "snoozed", "acknowledged", "in_downtime", "assigned", "handled"] as const;
/** What operators have made of an open alert. */
export type OperatorState = (typeof OPERATOR_STATES)[number];

export type Status = "open" | "closed";
/** The name of a channel. */
export type Channel = string;
export type Badge = "new" | "flapping" | "urgent" | "test";

/** An operator has seen it. */
export interface Acknowledgement {
  by: string;
  at: string;
  comment?: string;
}

/** What is said of an alert in place of what its source says. */
export interface Amended {
  /** Who did so last. */
  by: string;
  at: string;
  severity?: Severity;
  name?: string;
  output?: string;
  scenario?: string;
  /** Labels; one that is null is taken away. */
  labels?: Record<string, string | null>;
  /** Tags that it has, or has not. */
  tags?: Record<string, boolean>;
}

/** Hidden for a time. */
export interface Snooze {
  by: string;
  at: string;
  until: string;
  sticky_severity: boolean;
  sticky_output: boolean;
  comment?: string;
}

/** It is expected to be there until a time. */
export interface Downtime {
  by: string;
  at: string;
  until: string;
  comment?: string;
}

/** A person works on it until a time. */
export interface Handling {
  by: string;
  assignee: string;
  at: string;
  until: string;
}

/** A person owns it. */
export interface Assignment {
  by: string;
  assignee: string;
  at: string;
  until?: string;
  comment?: string;
}

/** How often what happened to an alert. */
export interface Counts {
  opened: number;
  updated: number;
  severity_changed: number;
  closed: number;
  acknowledged: number;
  snoozed: number;
}

/** One problem, from first firing to resolved, and again when it reopens. */
export interface Alert {
  fingerprint: string;
  version: number;
  environment: string;
  scenario: string;
  integration: string;
  monitoring_system: string;
  source: string;
  service?: string;
  object: string;
  name: string;
  severity: Severity;
  status: Status;
  badge?: Badge;
  operator_state: OperatorState;
  output: string;
  previous_output?: string;
  labels?: Record<string, string>;
  /** What the source says beside the output: name to text. */
  annotations?: Record<string, string>;
  links?: Record<string, string>;
  acknowledgement?: Acknowledgement;
  snooze?: Snooze;
  downtime?: Downtime;
  handling?: Handling;
  assignment?: Assignment;
  amended?: Amended;
  comment?: string;
  /** The channels that were notified of it and not yet of its end. */
  channels?: Channel[];
  episode: number;
  first_opened_at: string;
  opened_at: string;
  /** When it began, by the source's clock. */
  began_at?: string;
  last_event_at: string;
  changed_at: string;
  closed_at?: string;
  total_duration_ms: number;
  counts: Counts;
}

/** Which alerts are shown: all conditions must hold; an empty list asks nothing. */
export interface Filter {
  environments?: string[];
  states?: OperatorState[];
  severities?: Severity[];
  matchers?: string[];
  text?: string;
}

/** How many alerts pass the filter. */
export interface Counters {
  total: number;
  by_severity: Record<string, number>;
  by_state: Record<string, number>;
  by_environment: Record<string, number>;
}

/** From the console, on the websocket. */
export type ClientMessage = { type: "hello"; filter: Filter; cursor?: string };

export interface SnapshotMessage {
  type: "snapshot";
  cursor: string;
  alerts: Alert[];
  first: boolean;
  complete: boolean;
  counters: Counters;
}

export interface DeltaMessage {
  type: "delta";
  cursor: string;
  changed: Alert[];
  removed: string[];
  counters: Counters;
}

export interface BeatMessage {
  type: "beat";
  cursor: string;
  at: string;
  stale_ms?: number;
  /** How many clients are sent a snapshot before this one, while it waits for its own. */
  ahead?: number;
}

export interface RefusedMessage {
  type: "refused";
  reason: string;
}

/** From the server, on the websocket. */
export type ServerMessage = SnapshotMessage | DeltaMessage | BeatMessage | RefusedMessage;

/** What kinds of things happen to an alert. */
export type HistoryKind =
  | "opened"
  | "reopened"
  | "updated"
  | "severity_changed"
  | "closed"
  | "acknowledged"
  | "unacknowledged"
  | "snoozed"
  | "unsnoozed"
  | "downtime_began"
  | "downtime_ended"
  | "handled"
  | "unhandled"
  | "assigned"
  | "unassigned"
  | "commented"
  | "uncommented"
  | "rerouted"
  | "refused"
  | "notifying"
  | "notified"
  | "retrying"
  | "not_delivered"
  | "held_back";

export type HoldKind = "acknowledgement" | "snooze" | "downtime" | "assignment" | "handling";

/** Why something happened, or did not; the server has more of it in words. */
export type Reason =
  | { type: "held"; hold: HoldKind; by: string }
  | { type: "silenced"; silence: string; by: string; until: string; comment: string }
  | { type: "severity_below"; severity: Severity; minimum: Severity }
  | { type: "window_closed"; from: string; to: string; time_zone: string }
  | { type: "comment"; comment: string }
  | { type: "expired" };

/** Who or what did something. */
export type Actor =
  | { type: "user"; name: string; via: string }
  | { type: "integration"; name: string }
  | { type: "step"; scenario: string; number: number }
  | { type: "channel"; channel: Channel }
  | { type: "system" };

/** What happened, as data. */
export interface Happening {
  actor: Actor;
  what: { type: string; endpoint?: Endpoint; [more: string]: unknown };
  reasons?: Reason[];
}

/** How an event was received, and which rules changed it on its way. */
export interface Received {
  accepted_at: string;
  source: string;
  key?: string;
  rules?: string[];
}

/** One line of an alert's history: in words, and the same as data. */
export interface HistoryEntry {
  fingerprint: string;
  sequence: number;
  at: string;
  kind: HistoryKind;
  actor: string;
  message: string;
  details: Happening;
  event_id?: string;
  received?: Received;
}

/** What is still to come. */
export type Expected =
  | {
      type: "step";
      scenario: string;
      number: number;
      id: string;
      endpoints: Endpoint[];
      /** All that holds it back now. */
      reasons?: Reason[];
    }
  | { type: "retry"; endpoint: Endpoint; error: string }
  | { type: "no_scenario"; scenario: string }
  | { type: "hold_end"; hold: HoldKind }
  | { type: "source_silent" }
  | { type: "heartbeat_missed"; heartbeat: string };

/** Something that is still to come; it waits for something else than a time when it has none. */
export interface Upcoming {
  at?: string;
  message: string;
  details: Expected;
}

/** How an alert was received, what happened to it, and what is still to come. */
export interface Journey {
  alert: Alert;
  /** Oldest first. */
  past: HistoryEntry[];
  /** There are older lines in the history. */
  has_older: boolean;
  upcoming: Upcoming[];
}

export interface HistoryPage {
  entries: HistoryEntry[];
  next_cursor: string | null;
}

export type LedgerState = "opening" | "open" | "closing" | "closed" | "failed" | "not_closed";

/** What was opened where: the promise that it will be closed. */
export interface LedgerEntry {
  episode: number;
  channel: Channel;
  destination: string;
  bot?: string;
  state: LedgerState;
  sequence: number;
  reference?: string;
  opened_at: string;
  changed_at: string;
  error?: string;
}

export interface AlertPage {
  alerts: Alert[];
  next_cursor: string | null;
}

/** The fields of the actions; which verb takes which is in `actions.ts`. */
export interface ActionFields {
  comment?: string;
  until?: string;
  sticky_severity?: boolean;
  sticky_output?: boolean;
  assignee?: string;
}

export type Outcome = "applied" | "unchanged" | "refused" | "unknown";

export interface ActionResult {
  id: string;
  outcome: Outcome;
  reason: string | null;
  alert: Alert | null;
}

export interface Session {
  user: string | null;
  authentication: "none" | "token";
}

/** A daily span of time. */
export interface TimeWindow {
  from: string;
  to: string;
  days?: string[];
  time_zone: string;
}

/** Where notifications go, and in whose name. */
export interface Endpoint {
  channel: Channel;
  destination: string;
  bot?: string;
}

/** One step of a scenario: what is notified, when and on which condition. */
export interface Step {
  id: string;
  targets: Endpoint[];
  /** After the opening. */
  delay_seconds: number;
  window?: TimeWindow;
  minimum_severity: Severity;
}

export interface Scenario {
  name: string;
  description?: string;
  number?: number;
  steps: Step[];
}

/** A call that comes again and again while all is well. */
export interface Heartbeat {
  name: string;
  integration: string;
  period_seconds: number;
  grace_seconds: number;
  severity: Severity;
  labels?: Record<string, string>;
  /** The alert whose every coming is a call. */
  alert?: string;
  /** It was created by a client of Opsgenie's API. */
  by_client?: { disabled?: boolean };
}

export interface Environment {
  name: string;
  description?: string;
  number?: number;
}

export interface Rule {
  name: string;
  when: string;
  [field: string]: unknown;
}

/** How JSON of any shape is understood. */
export interface Mapping {
  name: string;
  alert: object;
  /** What the words of the sender mean. */
  states?: Record<string, string>;
  severities?: Record<string, string>;
}

/** The site without keys and secrets, as far as the console knows what stands in it. */
export interface Site {
  environments: Environment[];
  scenarios: Scenario[];
  mappings: Mapping[];
  heartbeats: Heartbeat[];
  rules: Rule[];
}

/** One difference that a site document makes. */
export interface SiteChange {
  change: "add" | "change" | "remove";
  /** Kind and name. */
  key: string;
  fields?: string[];
}

/** What applying a document did, or would do. */
export interface Applied {
  changes: SiteChange[];
  revision: number;
  applied: boolean;
  /** Whether every stage can read it already. */
  published: boolean;
}

/** A mistake in a document. */
export interface Problem {
  line: number;
  column: number;
  message: string;
  remedy: string;
}

/** Who made a revision of the site, and when. */
export interface RevisionLine {
  revision: number;
  at: string;
  by: { who: string };
}

export interface RevisionPage {
  revisions: RevisionLine[];
  next_cursor: string | null;
}

/** A revision, and the site as it was. */
export interface WholeRevision extends RevisionLine {
  /** What differs from the revision before; null when that is not kept any more. */
  changes: SiteChange[] | null;
  site: Site;
}

/** What the console reads of the declaration of a channel. */
export interface ChannelShown {
  name: Channel;
  title: string;
  /** A line drawing of 16 by 16, as the `d` of an SVG path. */
  icon: string;
}

export const MATCH_OPERATORS = ["=", "!=", "=~", "!~"] as const;
export type MatchOperator = (typeof MATCH_OPERATORS)[number];

/** What a label or a field of the alert must be like. */
export interface Matcher {
  name: string;
  operator: MatchOperator;
  value: string;
}

export type SilenceState = "active" | "pending" | "expired";

export interface Silence {
  id: string;
  matchers: Matcher[];
  starts_at: string;
  ends_at: string;
  created_by: string;
  comment: string;
  updated_at: string;
  state: SilenceState;
}

/** A silence to be made, or with an id to be changed. */
export interface SilenceRequest {
  id?: string;
  matchers: Matcher[];
  starts_at?: string;
  ends_at: string;
  created_by: string;
  comment: string;
}

/** One key of an integration, and how it is used. */
export interface IntegrationKey {
  id: string;
  name: string | null;
  created: string | null;
  expires: string | null;
  expired: boolean;
  last_used: string | null;
  /** Requests that were accepted, and the alerts in them. */
  accepted: number;
  alerts: number;
  /** Requests that were refused, by reason. */
  refused: Record<string, number>;
  last_refusal: { at: string; reason: string; message: string } | null;
}

export interface Integration {
  name: string;
  type: string;
  environment: string;
  scenario: string;
  signed: boolean;
  keys: IntegrationKey[];
}

/** What was refused, without its body. */
export interface RejectedLine {
  id: string;
  at: string;
  monitoring_system: string;
  integration: string | null;
  reason: string;
  kind: "body" | "event";
  /** Whether only the beginning was kept. */
  cut: boolean;
}

export interface RejectedPage {
  rejected: RejectedLine[];
  total: number;
}

/** What was refused, whole. */
export interface RejectedWhole {
  id: string;
  at: string;
  monitoring_system: string;
  integration?: string;
  reason: string;
  kind?: "body" | "event";
  /** Where it was posted to, without a key. */
  path?: string;
  headers?: Record<string, string>;
  environment?: string;
  scenario?: string;
  body_base64: string;
  cut?: boolean;
  /** Shown in place of a signature when the body is posted again. */
  voucher?: string;
}

export interface ErrorBody {
  error: { code: string; message: string; field?: string | null; problems?: Problem[] };
}
