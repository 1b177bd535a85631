/** Brings the live stream onto the board, at most once per animation frame. */
import { batch, effect, untracked } from "@preact/signals";
import { readSession } from "../../api";
import { channels } from "../../channels";
import { Connection } from "../../connection";
import type { Alert, ClientMessage, Filter, ServerMessage } from "../../protocol";
import * as session from "../../session";
import { site } from "../../site";
import { silences } from "../silences/store";
import { call } from "./alarm";
import {
  abandonSnapshot,
  applyDelta,
  applySnapshot,
  clear,
  isLeaving,
  progress,
  setPasses,
  setSilenced,
  setSort,
  settle,
} from "./board";
import { NO_FACETS, passing } from "./facets";
import * as state from "./store";

/** How long frames are read in one go before the browser may paint. */
const BUDGET_MS = 8;
/** A hidden page gets no animation frames. */
const HIDDEN_INTERVAL_MS = 250;
/** The silences say which alerts are silenced; they are read again after so long. */
const SILENCES_EVERY_MS = 10_000;
/** The site says which scenarios notify someone; it changes seldom. */
const SITE_EVERY_MS = 60_000;

const { board } = state;
const inbox: string[] = [];
let scheduled = false;
/** The filter of the rows on the board, as text. */
let boardFilter: string | null = null;
/** The filters whose answers are awaited, as text, in the order in which they were said. */
let awaited: string[] = [];
/** Another list is being read: it is held only while the reader points at the table. */
let filling = true;
let settleRequested = false;

const connection = new Connection(
  {
    connect: (events) => {
      const address = new URL("/ws", location.href);
      address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(address);
      socket.onopen = events.opened;
      socket.onmessage = (message) => events.received(String(message.data));
      socket.onclose = events.closed;
      return { send: (text) => socket.send(text), close: () => socket.close() };
    },
    now: Date.now,
    random: Math.random,
    after: (milliseconds, call) => {
      const timer = setTimeout(call, milliseconds);
      return () => clearTimeout(timer);
    },
  },
  {
    hello,
    received: (text) => {
      inbox.push(text);
      session.lastFrameAt.value = Date.now();
      schedule();
    },
    changed: (status) => {
      session.status.value = status;
    },
    failed: () => void checkSession(),
  },
);

/** The hello of a new connection: the cursor of the last frame that was read with this same filter. */
function hello(): ClientMessage {
  readInbox(Number.POSITIVE_INFINITY);
  abandonSnapshot(board);
  const wanted = state.refusal.peek() === null ? state.filter.peek() : null;
  const filter: Filter = wanted ?? (JSON.parse(boardFilter ?? "{}") as Filter);
  const text = JSON.stringify(filter);
  awaited = [text];
  const resumes = board.cursor !== null && text === boardFilter;
  if (resumes) awaited = [];
  return { type: "hello", filter, ...(resumes && board.cursor ? { cursor: board.cursor } : {}) };
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  if (document.hidden) setTimeout(flush, HIDDEN_INTERVAL_MS);
  else requestAnimationFrame(flush);
}

/** Show what is known at once, also while rows are held. */
export function showNew(): void {
  settleRequested = true;
  schedule();
}

/** Something on the board has changed by other ways than the stream. */
export function boardChanged(): void {
  schedule();
}

function flush(): void {
  scheduled = false;
  batch(() => {
    readInbox(performance.now() + BUDGET_MS);
    settleIfAllowed();
    state.loaded.value = board.cursor !== null && awaited.length === 0;
    state.loading.value = progress(board);
    if (!state.isClosedList.peek() && state.shown.peek() !== board.order) state.shown.value = board.order;
    state.revision.value++;
  });
  if (inbox.length > 0) schedule();
}

function settleIfAllowed(): void {
  const holds = filling ? state.pointing.peek() : state.holding.peek();
  if (!settleRequested && holds && board.order.length > 0) return;
  settleRequested = false;
  rememberCursor();
  // Of a list that has just been read nothing is new.
  settle(board, filling ? 0 : Date.now());
  if (board.cursor !== null) filling = false;
  const selected = state.selected.peek();
  const still = [...selected].filter((id) => board.rows.get(id)?.placed);
  if (!state.isClosedList.peek() && still.length < selected.size) state.selected.value = new Set(still);
}

/** When the row of the keyboard is about to go, keep its place, but choose no other row in its stead. */
function rememberCursor(): void {
  const id = state.cursorId.peek();
  const row = id === null ? undefined : board.rows.get(id);
  if (!row || !isLeaving(row)) return;
  state.cursorPlace.value = board.order.indexOf(row);
  state.cursorId.value = null;
}

function readInbox(deadline: number): void {
  let read = 0;
  while (read < inbox.length && (read === 0 || performance.now() < deadline)) take(inbox[read++] as string);
  inbox.splice(0, read);
}

function take(text: string): void {
  let message: ServerMessage;
  try {
    message = JSON.parse(text) as ServerMessage;
  } catch {
    console.error("The server sent a frame that is not JSON.");
    return;
  }
  switch (message.type) {
    case "snapshot":
      if (message.first) beginSnapshot();
      applySnapshot(board, message);
      break;
    case "delta":
      callFor(message.changed);
      applyDelta(board, message);
      break;
    case "beat": {
      const at = Date.parse(message.at);
      session.clockOffset.value = at - Date.now();
      session.viewSilentSince.value = message.stale_ms === undefined ? null : at - message.stale_ms;
      if (board.cursor !== null) board.cursor = message.cursor;
      state.waitingBehind.value = message.ahead ?? null;
      break;
    }
    case "refused":
      awaited.shift();
      if (awaited.length === 0) state.refusal.value = message.reason;
      // Nothing is shown yet: show all rather than nothing, beside the reason.
      if (boardFilter === null) say({});
      break;
  }
}

/** Call for what needs attention and did not before. While the list is being read nothing is new. */
function callFor(changed: readonly Alert[]): void {
  if (board.cursor === null) return;
  const needsAttention = passing("attention", NO_FACETS);
  const fresh = changed.filter((alert) => {
    const row = board.rows.get(alert.fingerprint);
    const isKnown = row !== undefined && !row.removed && needsAttention(row) && row.alert.severity === alert.severity;
    return !isKnown && needsAttention({ alert, isSilenced: board.isSilenced(alert) });
  });
  call(fresh);
}

function say(filter: Filter): void {
  if (connection.say({ type: "hello", filter })) awaited.push(JSON.stringify(filter));
}

function beginSnapshot(): void {
  const answered = awaited.shift();
  if (answered === undefined || answered === boardFilter) return;
  clear(board);
  boardFilter = answered;
  filling = true;
  state.toTop.value++;
}

async function checkSession(): Promise<void> {
  try {
    session.session.value = await readSession();
  } catch (error) {
    if ((error as { status?: number }).status === 401) {
      session.needsToken.value = true;
      connection.stop();
    }
  }
}

/** Try the connection now instead of when its time comes. */
export function reconnect(): void {
  connection.start();
}

async function begin(): Promise<void> {
  await checkSession();
  if (session.needsToken.peek()) return;
  connection.start();
  void silences.read();
  void channels.read();
  // Without it the names of environments that the counters know are enough.
  void site.read();
}

/** The token was taken. */
export function signedIn(): void {
  session.needsToken.value = false;
  void begin();
}

export function startLive(): void {
  void begin();
  effect(() => {
    const filter = state.filter.value;
    if (filter === null) return;
    untracked(() => askFor(filter));
  });
  effect(() => {
    if (!state.holding.value || !state.pointing.value) schedule();
  });
  effect(() => {
    const silenceOf = state.silenceOf.value;
    setSilenced(board, (alert) => silenceOf(alert) !== null);
    schedule();
  });
  setInterval(() => {
    if (!document.hidden && session.status.peek().kind === "live") void silences.read();
  }, SILENCES_EVERY_MS);
  setInterval(() => {
    if (!document.hidden && session.status.peek().kind === "live") void site.read();
  }, SITE_EVERY_MS);
  effect(() => {
    const list = state.list.value;
    if (list === "closed") return;
    setPasses(board, passing(list, state.facets.value));
    showNew();
    untracked(() => state.toTop.value++);
  });
  effect(() => {
    const sort = state.sort.value;
    if (state.isClosedList.value || sort === board.sort) return;
    setSort(board, sort);
    showNew();
    untracked(() => state.toTop.value++);
  });
  addEventListener("online", reconnectIfWaiting);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      // The animation frame that was asked for may not come any more.
      if (scheduled) setTimeout(flush, HIDDEN_INTERVAL_MS);
      return;
    }
    schedule();
    reconnectIfWaiting();
  });
}

function askFor(filter: Filter): void {
  state.refusal.value = null;
  if (JSON.stringify(filter) === (awaited.at(-1) ?? boardFilter)) return;
  state.selected.value = new Set();
  state.loaded.value = false;
  say(filter);
}

function reconnectIfWaiting(): void {
  if (session.status.peek().kind === "waiting") connection.start();
}
