/**
 * A small stand-in for the server: it keeps alerts in memory and speaks the websocket and the part of the API that
 * the console uses. Tests steer it by its methods.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { type WebSocket, WebSocketServer } from "ws";
import type {
  ActionFields,
  ActionResult,
  Actor,
  Alert,
  ChannelShown,
  ClientMessage,
  Counters,
  Filter,
  Heartbeat,
  HistoryEntry,
  HistoryKind,
  Integration,
  Journey,
  LedgerEntry,
  Problem,
  Received,
  RejectedWhole,
  Scenario,
  ServerMessage,
  Severity,
  Silence,
  SilenceRequest,
  Site,
  SiteChange,
  Upcoming,
  WholeRevision,
} from "../src/protocol";
import { predicate } from "./predicate";
import { actorText, alertOf, CHANNELS, historyOf, ledgerOf, newAlertOf, SCENARIOS, upcomingOf } from "./sample-alerts";

/** The built console; CONSOLE_DIST names another one. */
const DIST = process.env.CONSOLE_DIST ?? fileURLToPath(new URL("../dist", import.meta.url));
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
const PART = 1000;
const MOCK: Actor = { type: "integration", name: "mock" };

interface Client {
  socket: WebSocket;
  passes: (alert: Alert) => boolean;
  filter: Filter;
  /** Ids of what it was shown, so that it can be told what no longer passes. */
  shown: Set<string>;
}

export interface MockOptions {
  port?: number;
  /** Asks for this token. */
  token?: string;
  beatMs?: number;
}

export class MockServer {
  readonly alerts = new Map<string, Alert>();
  readonly history = new Map<string, HistoryEntry[]>();
  readonly ledger = new Map<string, LedgerEntry[]>();
  readonly upcoming = new Map<string, Upcoming[]>();
  /** Every hello that came, for tests to look at. */
  readonly hellos: Extract<ClientMessage, { type: "hello" }>[] = [];
  staleMs: number | undefined;
  /** While set, nothing is said on any socket, as on a broken line. */
  silent = false;
  /** While set, no websocket is accepted, as when the server is away. */
  down = false;
  /** While set, only the first part of a snapshot is sent; {@link sendParts} sends the others. */
  holdParts = false;
  private heldParts: (() => void)[] = [];
  readonly silences: Silence[] = [];
  integrations: Integration[] = [];
  rejected: RejectedWhole[] = [];
  heartbeats: Heartbeat[] = [];
  readonly revisions: WholeRevision[] = [];
  /** The site documents that came. */
  readonly documents: { document: string; isDryRun: boolean }[] = [];
  /** What is answered to the next ones. */
  answerToSite: { problems: Problem[]; changes: SiteChange[] } = { problems: [], changes: [] };
  scenarios: Scenario[] = SCENARIOS;
  readonly channels: ChannelShown[] = [...CHANNELS];
  /** What was posted to the collectors: path and headers. */
  readonly posted: { path: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  private readonly clients = new Set<Client>();
  private readonly http: Server;
  private readonly sockets = new WebSocketServer({ noServer: true });
  private readonly session = randomUUID();
  private readonly seenKeys = new Set<string>();
  private sequence = 0;
  private changed = new Set<string>();
  private readonly timers: NodeJS.Timeout[] = [];

  private constructor(private readonly options: MockOptions) {
    this.http = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
    this.http.on("upgrade", (request, socket, head) => {
      if (this.down) {
        socket.destroy();
        return;
      }
      if (!this.isSignedIn(request)) {
        socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
        return;
      }
      this.sockets.handleUpgrade(request, socket, head, (webSocket) => this.welcome(webSocket));
    });
    this.timers.push(setInterval(() => this.beat(), options.beatMs ?? 5000));
    this.timers.push(setInterval(() => this.publish(), 20));
  }

  static async start(options: MockOptions = {}): Promise<MockServer> {
    const server = new MockServer(options);
    await new Promise<void>((resolve) => server.http.listen(options.port ?? 0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.dropAll();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** Cut all websockets, as when the server is restarted. */
  dropAll(): void {
    for (const { socket } of this.clients) socket.terminate();
    this.clients.clear();
  }

  /** Put an alert there or change it. */
  put(alert: Alert, kind: HistoryKind = "updated", actor = MOCK, message = "", received?: Received): Alert {
    const before = this.alerts.get(alert.fingerprint);
    const next = { ...alert, version: (before?.version ?? 0) + 1, changed_at: new Date().toISOString() };
    this.alerts.set(next.fingerprint, next);
    this.changed.add(next.fingerprint);
    this.happens(next.fingerprint, {
      at: next.changed_at,
      kind,
      message,
      details: { actor, what: { type: "remarked" } },
      ...(received ? { received } : {}),
    });
    return next;
  }

  close(id: string, actor = MOCK): void {
    const alert = this.alerts.get(id);
    if (alert) this.put({ ...alert, status: "closed", closed_at: new Date().toISOString() }, "closed", actor);
  }

  beat(): void {
    const at = new Date().toISOString();
    for (const client of this.clients)
      this.tell(client, {
        type: "beat",
        cursor: String(this.sequence),
        at,
        ...(this.staleMs === undefined ? {} : { stale_ms: this.staleMs }),
      });
  }

  /** Another line of an alert's history. */
  happens(id: string, line: Omit<HistoryEntry, "fingerprint" | "sequence" | "actor">): void {
    const entries = this.history.get(id) ?? [];
    const actor = actorText(line.details.actor);
    entries.push({ ...line, fingerprint: id, sequence: entries.length + 1, actor });
    this.history.set(id, entries);
  }

  private welcome(socket: WebSocket): void {
    const client: Client = { socket, filter: {}, passes: () => false, shown: new Set() };
    this.clients.add(client);
    socket.on("close", () => this.clients.delete(client));
    socket.on("message", (data) => this.hear(client, JSON.parse(String(data)) as ClientMessage));
  }

  private hear(client: Client, message: ClientMessage): void {
    this.hellos.push(message);
    try {
      const passes = predicate(message.filter);
      client.passes = (alert) => alert.status === "open" && passes(alert);
    } catch (error) {
      this.tell(client, { type: "refused", reason: `matchers: ${(error as Error).message}` });
      return;
    }
    client.filter = message.filter;
    this.publish();
    const alerts = [...this.alerts.values()].filter(client.passes);
    client.shown = new Set(alerts.map((alert) => alert.fingerprint));
    const counters = count(alerts);
    for (let start = 0; start === 0 || start < alerts.length; start += PART) {
      const part: ServerMessage = {
        type: "snapshot",
        cursor: String(this.sequence),
        alerts: alerts.slice(start, start + PART),
        first: start === 0,
        complete: start + PART >= alerts.length,
        counters,
      };
      if (this.holdParts && start > 0) this.heldParts.push(() => this.tell(client, part));
      else this.tell(client, part);
    }
  }

  /** Send the parts of snapshots that were held: so many, or all. */
  sendParts(count = Number.POSITIVE_INFINITY): void {
    for (const send of this.heldParts.splice(0, count)) send();
  }

  private publish(): void {
    if (this.changed.size === 0 || this.silent) return;
    this.sequence++;
    const news = [...this.changed].flatMap((id) => this.alerts.get(id) ?? []);
    this.changed = new Set();
    for (const client of this.clients) {
      const changed = news.filter(client.passes);
      const removed = news.filter((alert) => !client.passes(alert) && client.shown.has(alert.fingerprint));
      for (const alert of changed) client.shown.add(alert.fingerprint);
      for (const alert of removed) client.shown.delete(alert.fingerprint);
      if (changed.length + removed.length === 0) continue;
      this.tell(client, {
        type: "delta",
        cursor: String(this.sequence),
        changed,
        removed: removed.map((alert) => alert.fingerprint),
        counters: count([...client.shown].flatMap((id) => this.alerts.get(id) ?? [])),
      });
    }
  }

  private tell(client: Client, message: ServerMessage): void {
    if (!this.silent) client.socket.send(JSON.stringify(message));
  }

  private isSignedIn(request: IncomingMessage): boolean {
    return !this.options.token || (request.headers.cookie ?? "").includes(`session=${this.session}`);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://localhost");
    const path = url.pathname;
    if (path.startsWith("/monitoring-system/")) return this.ingest(url, request, response);
    if (!path.startsWith("/api/")) return this.file(path, response);
    if (path === "/api/v1/session" && request.method === "POST") return this.signIn(request, response);
    if (!this.isSignedIn(request)) return refuse(response, 401, "unauthenticated", "An access token is needed.");
    if (path === "/api/v1/session") {
      const authentication = this.options.token ? "token" : "none";
      return json(response, 200, { user: null, authentication });
    }
    if (path === "/api/v1/site" && request.method === "PUT") return this.applySite(url, request, response);
    if (path === "/api/v1/site") return json(response, 200, this.site);
    if (path === "/api/v1/site/revisions") {
      const revisions = this.revisions.map(({ revision, at, by }) => ({ revision, at, by })).reverse();
      return json(response, 200, { revisions, next_cursor: null });
    }
    if (path.startsWith("/api/v1/site/revisions/"))
      return json(response, 200, this.revisions[Number(path.split("/").at(-1)) - 1]);
    if (path === "/api/v1/channels") return json(response, 200, { channels: this.channels });
    if (path === "/api/v1/alerts") return this.list(url, response);
    if (path === "/api/v1/integrations") return json(response, 200, { integrations: this.integrations });
    if (path === "/api/v1/rejected") {
      const lines = this.rejected.map(({ body_base64: _, ...line }) => ({ kind: "body", cut: false, ...line }));
      return json(response, 200, { rejected: lines, total: lines.length });
    }
    if (path.startsWith("/api/v1/rejected/"))
      return json(response, 200, this.rejected.find((whole) => path.endsWith(`/${whole.id}`)) ?? {});
    if (path.startsWith("/api/v1/silences")) return this.silence(path, request, response);
    const action = /^\/api\/v1\/actions\/(\w+)$/.exec(path);
    if (action && request.method === "POST") return this.act(action[1] as string, request, response);
    const one = /^\/api\/v1\/alerts\/([0-9a-f]{32})(?:\/(history|journey|notifications))?$/.exec(path);
    const alert = one && this.alerts.get(one[1] as string);
    if (!one || !alert) return refuse(response, 404, "not_found", "There is no such alert.");
    if (one[2] === "notifications")
      return json(response, 200, { notifications: this.ledger.get(alert.fingerprint) ?? [] });
    if (one[2] === "journey") return this.journey(alert, response);
    if (one[2] === "history") return this.page(url, alert.fingerprint, response);
    return json(response, 200, alert);
  }

  private page(url: URL, id: string, response: ServerResponse): void {
    const limit = Number(url.searchParams.get("limit") ?? 50);
    const end = Number(url.searchParams.get("cursor") ?? Number.MAX_SAFE_INTEGER);
    const entries = (this.history.get(id) ?? []).filter((entry) => entry.sequence < end).reverse();
    const page = entries.slice(0, limit);
    json(response, 200, { entries: page, next_cursor: entries.length > limit ? String(page.at(-1)?.sequence) : null });
  }

  private journey(alert: Alert, response: ServerResponse): void {
    const id = alert.fingerprint;
    const past = this.history.get(id) ?? [];
    const answer: Journey = { alert, past, has_older: false, upcoming: this.upcoming.get(id) ?? [] };
    json(response, 200, answer);
  }

  private list(url: URL, response: ServerResponse): void {
    const asked = url.searchParams;
    const limit = Number(asked.get("limit") ?? 100);
    const from = Number(asked.get("cursor") ?? 0);
    let passes: (alert: Alert) => boolean;
    try {
      passes = predicate({
        environments: asked.getAll("environment"),
        severities: asked.getAll("severity") as Severity[],
        matchers: asked.getAll("matcher"),
        text: asked.get("text") ?? "",
      });
    } catch (error) {
      refuse(response, 400, "invalid", (error as Error).message, "matcher");
      return;
    }
    const status = asked.get("state");
    const closed = [...this.alerts.values()]
      .filter((alert) => (status === "any" || alert.status === status) && passes(alert))
      .sort((a, b) => Date.parse(b.closed_at ?? "") - Date.parse(a.closed_at ?? ""));
    const next = from + limit < closed.length ? String(from + limit) : null;
    json(response, 200, { alerts: closed.slice(from, from + limit), next_cursor: next });
  }

  private async silence(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const now = new Date().toISOString();
    const id = path.split("/")[4];
    if (request.method === "GET") return json(response, 200, { silences: this.silences });
    if (request.method === "DELETE") {
      const known = this.silences.find((silence) => silence.id === id);
      if (!known) return refuse(response, 404, "not_found", "There is no such silence.");
      Object.assign(known, { state: "expired", ends_at: now });
      return json(response, 200, known);
    }
    const asked = (await body(request)) as SilenceRequest;
    if (asked.matchers.every((matcher) => matcher.operator === "=" && matcher.value === ""))
      return refuse(response, 422, "invalid", "one at least must not match the empty text", "matchers");
    const made: Silence = { starts_at: now, ...asked, id: asked.id ?? randomUUID(), updated_at: now, state: "active" };
    const at = this.silences.findIndex((silence) => silence.id === made.id);
    if (at >= 0) this.silences[at] = made;
    else this.silences.push(made);
    json(response, at >= 0 ? 200 : 201, made);
  }

  private get site(): Site {
    const environments = ["production", "staging", "office"].map((name) => ({ name }));
    return { environments, scenarios: this.scenarios, heartbeats: this.heartbeats, mappings: [], rules: [] };
  }

  /** A document has no YAML here: what it would do is what the test has prepared. */
  private async applySite(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const document = await bodyText(request);
    const isDryRun = url.searchParams.get("dry_run") === "true";
    this.documents.push({ document, isDryRun });
    const { problems, changes } = this.answerToSite;
    const error = { code: "invalid_site", message: "the site document has mistakes", problems };
    if (problems.length > 0) return json(response, 422, { error });
    const revision = this.revisions.length + Number(!isDryRun);
    if (!isDryRun)
      this.revisions.push({
        revision,
        at: new Date().toISOString(),
        by: { who: "anonymous" },
        changes,
        site: this.site,
      });
    json(response, 200, { changes, revision, applied: !isDryRun, published: true });
  }

  private async signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { token } = (await body(request)) as { token: string };
    if (token !== this.options.token) return refuse(response, 401, "unauthenticated", "show the access token");
    response.setHeader("set-cookie", `session=${this.session}; HttpOnly; SameSite=Strict; Path=/`);
    json(response, 200, { user: null, authentication: "token" });
  }

  private async ingest(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!url.searchParams.get("integration_key") && !request.headers["x-integration-key"])
      return refuse(response, 401, "unauthenticated", "No integration key.");
    const text = await bodyText(request);
    this.posted.push({ path: url.pathname + url.search, headers: request.headers, body: text });
    const event = JSON.parse(text) as Record<string, string>;
    this.put(
      {
        ...newAlertOf(this.alerts.size, Date.now()),
        name: event.alert_name ?? "",
        severity: (event.alert_severity as Alert["severity"]) ?? "critical",
        source: event.source ?? "",
        object: event.object ?? "",
        output: event.notification_output ?? "",
      },
      "opened",
      MOCK,
      "opened",
      { accepted_at: new Date().toISOString(), source: event.source ?? "", key: "first" },
    );
    json(response, 202, {});
  }

  private async act(verb: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fields = (await body(request)) as ActionFields & {
      alerts: string[];
      author: string;
      idempotency_key: string;
    };
    const results = fields.alerts.map((id): ActionResult => {
      const alert = this.alerts.get(id);
      if (!alert) return { id, outcome: "unknown", reason: "There is no such alert.", alert: null };
      if (alert.status === "closed" && verb !== "unresolve")
        return { id, outcome: "refused", reason: "The alert is closed.", alert };
      const key = `${fields.idempotency_key} ${id}`;
      if (this.seenKeys.has(key)) return { id, outcome: "applied", reason: "The key was applied before.", alert };
      const next = after(verb, alert, fields);
      if (!next) return { id, outcome: "unchanged", reason: null, alert };
      this.seenKeys.add(key);
      const kind = KINDS[verb] as HistoryKind;
      const by: Actor = { type: "user", name: fields.author, via: "session" };
      const changed = this.put(next, kind, by, fields.comment ?? "");
      return { id, outcome: "applied", reason: null, alert: changed };
    });
    json(response, 200, { results });
  }

  private async file(path: string, response: ServerResponse): Promise<void> {
    const isPage = path === "/" || /^\/(alerts|silences|integrations|heartbeats|site|rejected|wall)(\/|$)/.test(path);
    const name = isPage ? "index.html" : normalize(path).replace(/^\/+/, "");
    try {
      const content = await readFile(join(DIST, name));
      response.writeHead(200, {
        "content-type": TYPES[extname(name)] ?? "application/octet-stream",
        "content-security-policy": "default-src 'self'",
      });
      response.end(content);
    } catch {
      response.writeHead(404).end("Not found. Is the console built?");
    }
  }

  /** Fill it with alerts, as after some hours of a bad day. */
  seed(count: number, now = Date.now()): void {
    for (let index = 0; index < count; index++) {
      const alert = alertOf(index, now);
      this.alerts.set(alert.fingerprint, alert);
      this.history.set(alert.fingerprint, historyOf(alert, now));
      this.ledger.set(alert.fingerprint, ledgerOf(alert, now));
      this.upcoming.set(alert.fingerprint, upcomingOf(alert, now));
    }
  }
}

const KINDS: Record<string, HistoryKind> = {
  acknowledge: "acknowledged",
  unacknowledge: "unacknowledged",
  snooze: "snoozed",
  unsnooze: "unsnoozed",
  downtime: "downtime_began",
  cancel_downtime: "downtime_ended",
  handle: "handled",
  unhandle: "unhandled",
  assign: "assigned",
  unassign: "unassigned",
  unamend: "updated",
  comment: "commented",
  uncomment: "uncommented",
  resolve: "closed",
  unresolve: "reopened",
};

/** The alert after an action; null when it changes nothing. */
function after(verb: string, alert: Alert, fields: ActionFields & { author: string }): Alert | null {
  const at = new Date().toISOString();
  const by = fields.author;
  const said = fields.comment === undefined ? {} : { comment: fields.comment };
  const until = fields.until ?? at;
  const assignee = fields.assignee ?? by;
  switch (verb) {
    case "acknowledge":
      return alert.acknowledgement ? null : restate({ ...alert, acknowledgement: { by, at, ...said } });
    case "snooze": {
      const { sticky_severity = false, sticky_output = false } = fields;
      return restate({ ...alert, snooze: { by, at, until, sticky_severity, sticky_output, ...said } });
    }
    case "downtime":
      return restate({ ...alert, downtime: { by, at, until, ...said } });
    case "handle":
      return restate({ ...alert, handling: { by, at, until, assignee } });
    case "assign":
      return restate({ ...alert, assignment: { by, at, assignee, ...(fields.until ? { until } : {}), ...said } });
    case "comment":
      return { ...alert, ...said };
    case "resolve":
      return { ...alert, status: "closed", closed_at: at };
    case "unresolve":
      return alert.status === "open" ? null : without({ ...alert, status: "open" }, "closed_at");
    case "unacknowledge":
      return alert.acknowledgement ? restate(without(alert, "acknowledgement")) : null;
    case "unsnooze":
      return alert.snooze ? restate(without(alert, "snooze")) : null;
    case "cancel_downtime":
      return alert.downtime ? restate(without(alert, "downtime")) : null;
    case "unhandle":
      return alert.handling ? restate(without(alert, "handling")) : null;
    case "unassign":
      return alert.assignment ? restate(without(alert, "assignment")) : null;
    case "unamend":
      return alert.amended ? without(alert, "amended") : null;
    case "uncomment":
      return alert.comment ? without(alert, "comment") : null;
    default:
      return null;
  }
}

function without<K extends keyof Alert>(alert: Alert, key: K): Alert {
  const { [key]: _, ...rest } = alert;
  return rest as Alert;
}

function restate(alert: Alert): Alert {
  const operator_state = alert.handling
    ? "handled"
    : alert.assignment
      ? "assigned"
      : alert.downtime
        ? "in_downtime"
        : alert.acknowledgement
          ? "acknowledged"
          : alert.snooze
            ? "snoozed"
            : "active";
  return { ...alert, operator_state };
}

function count(alerts: Alert[]): Counters {
  const counters: Counters = { total: alerts.length, by_severity: {}, by_state: {}, by_environment: {} };
  const add = (counts: Record<string, number>, name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  for (const alert of alerts) {
    add(counters.by_severity, alert.severity);
    add(counters.by_state, alert.operator_state);
    add(counters.by_environment, alert.environment);
  }
  return counters;
}

async function body(request: IncomingMessage): Promise<unknown> {
  return JSON.parse(await bodyText(request));
}

async function bodyText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code: string, message: string, field?: string): void {
  json(response, status, { error: { code, message, field: field ?? null } });
}
