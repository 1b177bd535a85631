/** The calls of the server's API. */
import { type Call, inParts } from "./pages/alerts/actions";
import type {
  ActionResult,
  Alert,
  AlertPage,
  Applied,
  ChannelShown,
  ErrorBody,
  Filter,
  HistoryPage,
  Integration,
  Journey,
  LedgerEntry,
  Matcher,
  Problem,
  RejectedPage,
  RejectedWhole,
  RevisionPage,
  Session,
  Silence,
  SilenceRequest,
  Site,
  WholeRevision,
} from "./protocol";

/** How many alerts go into one request of an action. */
const PART = 1000;

/** The server's no, or its silence. */
export class ApiError extends Error {
  constructor(
    message: string,
    /** The status of the answer; 0 when there was none. */
    readonly status: number,
    readonly field: string | null = null,
    /** What is wrong with a site document. */
    readonly problems: readonly Problem[] = [],
  ) {
    super(message);
  }

  /** Whether the same may work later. */
  get passing(): boolean {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }
}

async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached.", 0);
  }
  const text = await answer.text();
  let body: unknown;
  try {
    body = text === "" ? null : JSON.parse(text);
  } catch {
    body = null;
  }
  if (answer.ok) return body as T;
  const error = (body as Partial<ErrorBody> | null)?.error;
  const message = error?.message ?? `The server answered ${answer.status}.`;
  throw new ApiError(message, answer.status, error?.field ?? null, error?.problems);
}

function post<T>(path: string, body: unknown): Promise<T> {
  return call<T>(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

function paged(path: string, limit: number, cursor: string | null, more: [string, string][] = []): string {
  const query = new URLSearchParams([...more, ["limit", String(limit)]]);
  if (cursor !== null) query.set("cursor", cursor);
  return `${path}?${query}`;
}

export const readSession = (): Promise<Session> => call("/api/v1/session");

export const openSession = (token: string): Promise<unknown> => post("/api/v1/session", { token });

export const readSite = (): Promise<Site> => call("/api/v1/site");

export const readRevisions = (cursor: string | null): Promise<RevisionPage> =>
  call(paged("/api/v1/site/revisions", 50, cursor));

export const readRevision = (revision: number): Promise<WholeRevision> => call(`/api/v1/site/revisions/${revision}`);

/** Apply a site document, or only say what it would change. */
export const applySite = (document: string, isDryRun: boolean): Promise<Applied> =>
  call(`/api/v1/site${isDryRun ? "?dry_run=true" : ""}`, {
    method: "PUT",
    headers: { "content-type": "application/yaml" },
    body: document,
  });

export const readChannels = (): Promise<{ channels: ChannelShown[] }> => call("/api/v1/channels");

export const readAlert = (id: string, signal: AbortSignal): Promise<Alert> => call(`/api/v1/alerts/${id}`, { signal });

/** Closed alerts, the last one that closed first. States of operators are about open ones and ask nothing here. */
export function readClosed(filter: Filter, cursor: string | null, signal: AbortSignal): Promise<AlertPage> {
  const asked: [string, string][] = [
    ["state", "closed"],
    ...(filter.environments ?? []).map((name): [string, string] => ["environment", name]),
    ...(filter.severities ?? []).map((name): [string, string] => ["severity", name]),
    ...(filter.matchers ?? []).map((matcher): [string, string] => ["matcher", matcher]),
  ];
  if (filter.text) asked.push(["text", filter.text]);
  return call(paged("/api/v1/alerts", 200, cursor, asked), { signal });
}

export const readHistory = (id: string, cursor: string | null, signal: AbortSignal): Promise<HistoryPage> =>
  call(paged(`/api/v1/alerts/${id}/history`, 50, cursor), { signal });

export const readJourney = (id: string, signal: AbortSignal): Promise<Journey> =>
  call(`/api/v1/alerts/${id}/journey`, { signal });

export const readNotifications = (id: string, signal: AbortSignal): Promise<{ notifications: LedgerEntry[] }> =>
  call(`/api/v1/alerts/${id}/notifications`, { signal });

/** The alerts of heartbeats that were missed now or before. */
export const readHeartbeatAlerts = async (): Promise<Alert[]> => {
  const asked: [string, string][] = [
    ["state", "any"],
    ["matcher", 'monitoring_system="heartbeat"'],
  ];
  return (await call<AlertPage>(paged("/api/v1/alerts", 1000, null, asked))).alerts;
};

/** Do something to alerts. The key makes it safe to send the same again after a silence. */
export async function act(request: Call, author: string, key: string): Promise<ActionResult[]> {
  const results: ActionResult[] = [];
  for (const alerts of inParts(request.alerts, PART)) {
    const body = { alerts, author, idempotency_key: key, ...request.fields };
    results.push(...(await post<{ results: ActionResult[] }>(`/api/v1/actions/${request.verb}`, body)).results);
  }
  return results;
}

/** Open alerts that pass matchers: at most so many, and whether there are more. */
export async function readMatching(
  matchers: readonly Matcher[],
  limit: number,
  signal: AbortSignal,
): Promise<{ alerts: Alert[]; more: boolean }> {
  const asked = matchers.map((matcher): [string, string] => ["matcher", matcherText(matcher)]);
  const page = await call<AlertPage>(paged("/api/v1/alerts", limit, null, [["state", "open"], ...asked]), { signal });
  return { alerts: page.alerts, more: page.next_cursor !== null };
}

/** A matcher as it is written in text: `team="pay"`. */
export function matcherText({ name, operator, value }: Matcher): string {
  return `${/^[A-Za-z_][\w.:/-]*$/.test(name) ? name : JSON.stringify(name)}${operator}${JSON.stringify(value)}`;
}

export const readSilences = (): Promise<{ silences: Silence[] }> => call("/api/v1/silences");

export const putSilence = (request: SilenceRequest): Promise<Silence> => post("/api/v1/silences", request);

export const expireSilence = (id: string): Promise<Silence> => call(`/api/v1/silences/${id}`, { method: "DELETE" });

export const readIntegrations = (): Promise<{ integrations: Integration[] }> => call("/api/v1/integrations");

export const readRejectedPage = (): Promise<RejectedPage> => call("/api/v1/rejected?limit=200");

export const readRejected = (id: string): Promise<RejectedWhole> => call(`/api/v1/rejected/${encodeURIComponent(id)}`);

/** Post a body again as it came, with the key of an integration. */
export async function replay(rejected: RejectedWhole, key: string): Promise<unknown> {
  const query = new URLSearchParams();
  if (rejected.environment) query.set("environment_id", rejected.environment);
  if (rejected.scenario) query.set("scenario_id", rejected.scenario);
  const path = `${rejected.path ?? ""}${query.size > 0 ? `?${query}` : ""}`;
  // A path of another origin begins with two slashes.
  if (!/^\/(?!\/)/.test(path)) throw new RangeError("It is not known where this body was posted to.");
  return call(path, {
    method: "POST",
    credentials: "omit",
    headers: {
      ...rejected.headers,
      "x-integration-key": key,
      ...(rejected.voucher ? { "reveille-voucher": rejected.voucher } : {}),
    },
    body: Uint8Array.from(atob(rejected.body_base64), (character) => character.charCodeAt(0)),
  });
}
