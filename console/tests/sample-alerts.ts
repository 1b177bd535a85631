/** Alerts as a real site might have them; the same number always makes the same alert. */
import { createHash } from "node:crypto";
import type {
  Actor,
  Alert,
  Channel,
  ChannelShown,
  Endpoint,
  Heartbeat,
  HistoryEntry,
  Integration,
  LedgerEntry,
  OperatorState,
  Reason,
  RejectedWhole,
  Scenario,
  Severity,
  Upcoming,
  WholeRevision,
} from "../src/protocol";

const MINUTE = 60_000;

type Kind = [name: string, severity: Severity, service: string, object: string, output: string, system: string];

// biome-ignore format: one kind a line
const KINDS: readonly Kind[] = [
  ["DiskWillFillIn4Hours", "warning", "storage", "db-%", "/var/lib/mysql is 91 % full and grows 1.8 GB/h", "prometheus"],
  ["HighErrorRate", "critical", "checkout", "checkout-%", "5xx rate 7.4 % over 5 min (threshold 2 %)", "prometheus"],
  ["Interface Gi0/1 down", "critical", "network", "sw-core-%", "ifOperStatus is down(2) since 00:03:12", "zabbix"],
  ["PodCrashLooping", "warning", "payments", "payments-api-%", "Container api restarted 6 times in 15 min, exit code 137", "prometheus"],
  ["CertificateExpiresSoon", "information", "edge", "edge-%", "TLS certificate for api.example.org expires in 13 days", "prometheus"],
  ["Replication lag", "critical", "storage", "db-replica-%", "Seconds_Behind_Source: 412", "zabbix"],
  ["Host is unreachable", "down", "compute", "node-%", "PING CRITICAL - 100 % packet loss", "icinga"],
  ["HighMemoryUsage", "warning", "search", "search-%", "Heap 93 % after GC for 10 min", "prometheus"],
  ["SyntheticLoginFailed", "urgent", "identity", "probe-%", "Step 3 of 5 “submit form” timed out after 30 s", "pingdom"],
  ["Backup older than 26 h", "warning", "backup", "backup-%", "Last good backup: 31 h ago (job nightly-full)", "icinga"],
  ["QueueDepthHigh", "warning", "orders", "orders-worker-%", "orders.created: 18,204 messages, oldest 7 min", "prometheus"],
  ["No data from exporter", "unknown", "metrics", "exporter-%", "up == 0 for 5 min, last scrape: connection refused", "prometheus"],
  ["Fan 2 failed", "information", "hardware", "rack-%", "IPMI: FAN2 0 RPM, inlet 24 °C", "zabbix"],
  ["LatencyP99High", "critical", "gateway", "gateway-%", "p99 2.31 s over 5 min on GET /v2/cart (objective 800 ms)", "grafana"],
];
const PEOPLE = ["Ada Byrne", "Kofi Mensah", "Lena Vogt", "Mario Rossi", "Priya Nair"];
const TEAMS = ["pay", "web", "data", "core", "edge"];
const ENVIRONMENTS = ["production", "production", "production", "production", "staging", "staging", "office"];
const SOURCES = ["prom-eu-1", "prom-eu-2", "prom-us-1", "zabbix-hq", "icinga-dc2"];
const STATES: readonly OperatorState[] = [
  ...Array<OperatorState>(9).fill("active"),
  "acknowledged",
  "acknowledged",
  "snoozed",
  "handled",
  "assigned",
  "in_downtime",
];

/** A small generator of numbers that are the same in every run (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = (seed + 1) * 0x9e3779b9;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function pick<T>(list: readonly T[], number: (below: number) => number): T {
  return list[number(list.length)] as T;
}

/** The alert with this number, some time before `now`. */
export function alertOf(index: number, now: number): Alert {
  const number = numbers(index);
  const kind = pick(KINDS, number);
  // The gravest are rare, as in life.
  const [name, severity, service, object, output, system] =
    ["down", "urgent"].includes(kind[1]) && number(3) > 0 ? pick(KINDS, number) : kind;
  const age = [2, 12, 45, 180, 900, 4000][number(6)] as number;
  const opened = now - (1 + number(age)) * MINUTE - number(60) * 1000;
  const at = (time: number) => new Date(time).toISOString();
  const person = pick(PEOPLE, number);
  const other = pick(PEOPLE, number);
  const state = pick(STATES, number);
  const since = opened + (now - opened) / 2;
  const environment = pick(ENVIRONMENTS, number);
  const host = object.replace("%", String(1 + number(24)).padStart(2, "0"));
  const badge = ({ 0: "new", 1: "flapping", 2: "new" } as const)[number(14)];
  const labels = { team: pick(TEAMS, number), region: pick(["eu-west-1", "us-east-1"], number), host };
  return {
    fingerprint: createHash("md5").update(`alert ${index}`).digest("hex"),
    version: 1,
    environment,
    scenario: environment === "production" ? "on-call" : "office hours",
    integration: `${system}-${environment}`,
    monitoring_system: system,
    source: pick(SOURCES, number),
    service,
    object: host,
    name,
    severity,
    status: "open",
    ...(severity === "urgent" ? { badge: "urgent" as const } : badge ? { badge } : {}),
    operator_state: state,
    output,
    previous_output: output.replace(/\d+/, (digits) => String(Math.max(1, Number(digits) - 3))),
    labels,
    annotations: { impact: `${service} answers late\nfor some customers` },
    links: {
      Runbook: `https://runbooks.example.org/${encodeURIComponent(name)}`,
      Dashboard: `https://grafana.example.org/d/${service}?var-host=${host}`,
    },
    ...(state === "acknowledged" ? { acknowledgement: { by: person, at: at(since), comment: "Looking at it" } } : {}),
    ...(state === "snoozed"
      ? {
          snooze: {
            by: person,
            at: at(since),
            until: at(now + (5 + number(200)) * MINUTE),
            sticky_severity: false,
            sticky_output: true,
          },
        }
      : {}),
    ...(state === "in_downtime"
      ? { downtime: { by: person, at: at(since), until: at(now + 55 * MINUTE), comment: "Replacing the disks" } }
      : {}),
    ...(state === "handled"
      ? { handling: { by: person, assignee: person, at: at(since), until: at(now + 42 * MINUTE) } }
      : {}),
    ...(state === "assigned" ? { assignment: { by: other, assignee: person, at: at(since) } } : {}),
    channels: pick<Channel[]>([["slack"], ["slack"], ["slack", "email"], ["slack", "webhook"], []], number),
    episode: 1 + number(4),
    first_opened_at: at(opened - number(40) * 24 * 60 * MINUTE),
    opened_at: at(opened),
    last_event_at: at(now - number(28) * 1000),
    changed_at: at(since),
    total_duration_ms: number(200) * MINUTE,
    counts: { opened: 3, updated: 14, severity_changed: 1, closed: 2, acknowledged: 1, snoozed: 0 },
  };
}

/** The same alert, just opened, not touched by an operator. */
export function newAlertOf(index: number, now: number): Alert {
  const { badge, acknowledgement, snooze, downtime, handling, assignment, ...alert } = alertOf(index, now);
  return { ...alert, operator_state: "active", opened_at: new Date(now).toISOString() };
}

/** What may have happened to it. */
export function historyOf(alert: Alert, now: number): HistoryEntry[] {
  const opened = Date.parse(alert.opened_at);
  const at = (time: number) => new Date(time).toISOString();
  const third = (now - opened) / 3;
  const integration: Actor = { type: "integration", name: alert.integration };
  const step = (number: number): Actor => ({ type: "step", scenario: alert.scenario, number });
  const slack: Endpoint = { channel: "slack", destination: "#ops-alerts" };
  const email: Endpoint = { channel: "email", destination: "on-call@example.org" };
  const { severity, output } = alert;
  const lines: Omit<HistoryEntry, "fingerprint" | "sequence" | "actor">[] = [
    {
      at: at(opened),
      kind: "opened",
      message: `opened as ${severity}: ${output}`,
      details: { actor: integration, what: { type: "opened", severity, output } },
      event_id: "01940000-0000-7000-8000-000000000001",
      received: {
        accepted_at: at(opened - 35),
        source: alert.source,
        key: "2026",
        rules: ["staging is never urgent"],
      },
    },
    {
      at: at(opened + 40),
      kind: "notifying",
      message: "slack #ops-alerts is notified",
      details: { actor: step(1), what: { type: "notifying", endpoint: slack } },
    },
    {
      at: at(opened + 610),
      kind: "retrying",
      message: `opening to #ops-alerts not delivered yet, tried again at ${at(opened + 1610)}: 503 Service Unavailable`,
      details: {
        actor: { type: "channel", channel: "slack" },
        what: {
          type: "retrying",
          notification: "open",
          endpoint: slack,
          next_attempt_at: at(opened + 1610),
          error: "503 Service Unavailable",
        },
      },
    },
    {
      at: at(opened + 1650),
      kind: "notified",
      message: "opening delivered to #ops-alerts at attempt 2",
      details: {
        actor: { type: "channel", channel: "slack" },
        what: { type: "notified", notification: "open", endpoint: slack, attempts: 2 },
      },
    },
    {
      at: at(opened + third),
      kind: "updated",
      message: output,
      details: { actor: integration, what: { type: "output_changed", output } },
    },
  ];
  const { acknowledgement } = alert;
  if (acknowledgement) {
    const { by, comment = "" } = acknowledgement;
    lines.push({
      at: acknowledgement.at,
      kind: "acknowledged",
      message: `acknowledged: ${comment}`,
      details: {
        actor: { type: "user", name: by, via: "session" },
        what: { type: "hold_began", hold: "acknowledgement" },
        reasons: [{ type: "comment", comment }],
      },
    });
    lines.push({
      at: at(Math.max(Date.parse(acknowledgement.at), opened + 300_000)),
      kind: "held_back",
      message: `email on-call@example.org is not notified: the alert is acknowledged by ${by}`,
      details: {
        actor: step(2),
        what: { type: "held_back", endpoints: [email] },
        reasons: [{ type: "held", hold: "acknowledgement", by }],
      },
    });
  }
  return lines.map((line, index) => ({
    ...line,
    fingerprint: alert.fingerprint,
    sequence: index + 1,
    actor: actorText(line.details.actor),
  }));
}

/** An actor as the server words it. */
export function actorText(actor: Actor): string {
  switch (actor.type) {
    case "user":
      return `operator ${actor.name}`;
    case "integration":
      return `integration ${actor.name}`;
    case "step":
      return `scenario ${actor.scenario} step ${actor.number}`;
    case "channel":
      return `channel ${actor.channel}`;
    case "system":
      return "reveille";
  }
}

/** What may still be to come for it: the second step soon, and the third one later. */
export function upcomingOf(alert: Alert, now: number): Upcoming[] {
  if (alert.status === "closed") return [];
  const { scenario, acknowledgement } = alert;
  const reasons: Reason[] = acknowledgement ? [{ type: "held", hold: "acknowledgement", by: acknowledgement.by }] : [];
  const held = acknowledgement ? `, unless this still holds: the alert is acknowledged by ${acknowledgement.by}` : "";
  const step = (number: number, minutes: number, endpoint: Endpoint): Upcoming => ({
    at: new Date(now + minutes * MINUTE).toISOString(),
    message: `scenario ${scenario} step ${number} notifies ${endpoint.channel} ${endpoint.destination}${held}`,
    details: { type: "step", scenario, number, id: String(number), endpoints: [endpoint], reasons },
  });
  return [
    step(2, 4, { channel: "email", destination: "on-call@example.org" }),
    step(3, 14, { channel: "webhook", destination: "https://hooks.example.org/escalate" }),
  ];
}

/** Where notifications may have been sent. */
export function ledgerOf(alert: Alert, now: number): LedgerEntry[] {
  const opened = Date.parse(alert.opened_at);
  const at = (time: number) => new Date(Math.min(now, time)).toISOString();
  return [
    {
      episode: alert.episode,
      channel: "slack",
      destination: "#ops-alerts",
      bot: "ops-bot",
      state: "open",
      sequence: 2,
      opened_at: at(opened + 40),
      changed_at: at(opened + 610),
    },
    {
      episode: alert.episode,
      channel: "email",
      destination: "on-call@example.org",
      state: "opening",
      sequence: 1,
      opened_at: at(opened + 300_000),
      changed_at: at(opened + 300_000),
    },
    {
      episode: alert.episode,
      channel: "webhook",
      destination: "https://hooks.example.org/tickets",
      state: "failed",
      sequence: 1,
      opened_at: at(opened + 50),
      changed_at: at(opened + 4_000),
      error: "The server answered 404 Not Found",
    },
  ];
}

/** The channels, with what the console reads of them. */
export const CHANNELS: ChannelShown[] = [
  { name: "webhook", title: "Webhook", icon: "M5 12.5L2.5 8 5 3.5M11 3.5L13.5 8 11 12.5M9 4l-2 8" },
  { name: "slack", title: "Slack", icon: "M6 2.5L4.8 13.5M11.2 2.5L10 13.5M2.8 5.8h11M2.2 10.2h11" },
  { name: "email", title: "E-mail", icon: "M2.5 4h11v8h-11zM2.5 4.5L8 9l5.5-4.5" },
];

/** The scenarios that the alerts are of. */
export const SCENARIOS: Scenario[] = [
  {
    name: "on-call",
    steps: [
      {
        id: "1",
        targets: [{ channel: "slack", destination: "#ops-alerts" }],
        delay_seconds: 0,
        minimum_severity: "warning",
      },
      {
        id: "2",
        targets: [{ channel: "email", destination: "on-call@example.org" }],
        delay_seconds: 300,
        minimum_severity: "critical",
      },
      {
        id: "3",
        targets: [{ channel: "webhook", destination: "https://hooks.example.org/escalate" }],
        delay_seconds: 900,
        minimum_severity: "critical",
      },
    ],
  },
  { name: "office hours", steps: [] },
];

/** Integrations as they may be used. */
export function integrationsOf(now: number): Integration[] {
  const at = (ago: number) => new Date(now - ago).toISOString();
  const key = (id: string, accepted: number) => ({
    id,
    name: null,
    created: null,
    expires: null,
    expired: false,
    last_used: accepted > 0 ? at(28_000) : null,
    accepted,
    alerts: accepted * 3,
    refused: {},
    last_refusal: null,
  });
  const common = { environment: "production", scenario: "on-call", signed: false };
  return [
    { ...common, name: "prometheus-production", type: "prometheus", keys: [key("9f86d081884c", 18_204)] },
    {
      ...common,
      name: "zabbix-production",
      type: "zabbix",
      keys: [
        {
          ...key("60303ae22b99", 812),
          refused: { malformed: 4 },
          last_refusal: { at: at(240_000), reason: "malformed", message: 'severity: "5" is not a severity' },
        },
      ],
    },
    { ...common, name: "statuspage", type: "any", keys: [key("fd61a03af4f7", 0)] },
  ];
}

/** Heartbeats that may be declared. */
export const HEARTBEATS: Heartbeat[] = [
  {
    name: "nightly-backup",
    integration: "backups",
    period_seconds: 86_400,
    grace_seconds: 3600,
    severity: "critical",
  },
  {
    name: "prometheus-main",
    integration: "prometheus-production",
    period_seconds: 300,
    grace_seconds: 60,
    severity: "urgent",
    alert: "Watchdog",
  },
  {
    name: "sync",
    integration: "backups",
    period_seconds: 3600,
    grace_seconds: 0,
    severity: "warning",
    by_client: { disabled: true },
  },
];

/** The alert of a heartbeat that was missed. */
export function missedOf({ name, integration, severity }: Heartbeat, index: number, now: number): Alert {
  return {
    ...newAlertOf(index, now),
    name: "Heartbeat missed",
    object: name,
    integration,
    severity,
    monitoring_system: "heartbeat",
    output: `no call of heartbeat ${name}`,
  };
}

/** Revisions of a site: the second one changed a scenario. */
export function revisionsOf(now: number): WholeRevision[] {
  const [onCall, office] = SCENARIOS as [Scenario, Scenario];
  const site = { environments: [{ name: "production" }], scenarios: [office], mappings: [], heartbeats: [], rules: [] };
  const at = (minutes: number) => new Date(now - minutes * MINUTE).toISOString();
  return [
    {
      revision: 1,
      at: at(600),
      by: { who: "token ci" },
      changes: [{ change: "add", key: `scenario/${office.name}` }],
      site,
    },
    {
      revision: 2,
      at: at(5),
      by: { who: "token ada" },
      changes: [{ change: "change", key: `scenario/${office.name}`, fields: ["steps"] }],
      site: { ...site, scenarios: [{ ...office, steps: onCall.steps.slice(0, 1) }] },
    },
  ];
}

/** Bodies that may have been refused. */
export function rejectedOf(now: number): RejectedWhole[] {
  const body = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64");
  return [
    {
      id: "0-12",
      at: new Date(now - 240_000).toISOString(),
      monitoring_system: "zabbix",
      integration: "zabbix-production",
      reason: 'severity: "5" is not a severity: use ok, information, warning, critical, unknown, urgent or down',
      path: "/monitoring-system/zabbix",
      headers: { "content-type": "application/json" },
      body_base64: body({ alert_name: "Fan 2 failed", severity: "5" }),
      voucher: "proof",
    },
    {
      id: "0-7",
      at: new Date(now - 7_200_000).toISOString(),
      monitoring_system: "prometheus",
      integration: "prometheus-production",
      reason: "rule drop-tests: the event was dropped",
      kind: "event",
      body_base64: body({ name: "Test" }),
    },
  ];
}
