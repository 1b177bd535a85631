/** The calls of the server's API. */
import { type Call, inParts } from "./actions";
import type {
  ActionResult,
  Alert,
  AlertPage,
  ErrorBody,
  Filter,
  HistoryPage,
  LedgerEntry,
  Session,
  Site,
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
  throw new ApiError(error?.message ?? `The server answered ${answer.status}.`, answer.status, error?.field ?? null);
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

export const readNotifications = (id: string, signal: AbortSignal): Promise<{ notifications: LedgerEntry[] }> =>
  call(`/api/v1/alerts/${id}/notifications`, { signal });

/** Do something to alerts. The key makes it safe to send the same again after a silence. */
export async function act(request: Call, author: string, key: string): Promise<ActionResult[]> {
  const results: ActionResult[] = [];
  for (const alerts of inParts(request.alerts, PART)) {
    const body = { alerts, author, idempotency_key: key, ...request.fields };
    results.push(...(await post<{ results: ActionResult[] }>(`/api/v1/actions/${request.verb}`, body)).results);
  }
  return results;
}
