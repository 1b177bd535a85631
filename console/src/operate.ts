/** Does what operators want done, says what became of it, and offers to take it back. */
import { batch } from "@preact/signals";
import { type Attempt, attempted, type Call, countAlerts, summarize, type Undoing, undo, type Verb } from "./actions";
import { ApiError, act } from "./api";
import { applyAnswer } from "./board";
import { closedChanged } from "./closed";
import { boardChanged } from "./live";
import type { ActionResult, Alert } from "./protocol";
import * as state from "./state";

/** More than this many at once are asked about first. */
const MANY = 100;
const TOAST_MS = 8000;
const KEYBOARD_HOLD_MS = 8000;

let toastNumber = 0;
let lastUndo: { calls: Call[]; toast: number } | null = null;
let keyboardTimer: ReturnType<typeof setTimeout> | undefined;

/** The alerts an action without further words is meant for. */
export function targets(): string[] {
  const selected = state.selected.peek();
  if (selected.size > 0)
    return state.shown
      .peek()
      .filter((row) => selected.has(row.id))
      .map((row) => row.id);
  const one = state.openedId.peek() ?? state.cursorId.peek();
  return one === null ? [] : [one];
}

/** Begin an action: at once when nothing needs to be asked, else with its dialog. */
export function beginAction(verb: Verb, ids: string[], ask: boolean): void {
  if (ids.length === 0) {
    say({ text: "Choose an alert first.", failed: true });
    return;
  }
  withAuthor(() => {
    if (ask || ids.length > MANY) state.dialog.value = { kind: "act", verb, ids };
    else void runShown({ verb, alerts: ids, fields: {} });
  });
}

/** Take back what somebody has done to an alert, however long ago. */
export function takeBack(verb: Undoing, id: string): void {
  withAuthor(() => void runShown({ verb, alerts: [id], fields: {} }));
}

function withAuthor(afterwards: () => void): void {
  if (state.author.peek()) afterwards();
  else state.dialog.value = { kind: "name", afterwards };
}

/** Run a call and say its failure in a toast, with a way to try the same again where that may help. */
async function runShown(call: Call, attempt = attempts()): Promise<void> {
  try {
    await attempt(call);
  } catch (error) {
    const failure = error instanceof ApiError ? error : new ApiError(String(error), -1);
    say({
      text: `Not done: ${failure.message}`,
      failed: true,
      action:
        failure.passing || failure.status === 401
          ? { label: "Try again", run: () => void runShown(call, attempt) }
          : null,
    });
  }
}

/**
 * Runs a call, again if need be: the same one has the same key, so that nothing is done twice when an answer was lost,
 * and is undone to what was there before its first attempt. Throws {@link ApiError} when the server did not take it.
 */
export function attempts(): (call: Call) => Promise<void> {
  let last: Attempt | null = null;
  return async (call) => {
    last = attempted(last, call, () => ({ key: newKey(), before: knownAlerts(call.alerts) }));
    await run(call, last.key, last.before);
  };
}

async function run(call: Call, key: string, before: ReadonlyMap<string, Alert>): Promise<void> {
  let results: ActionResult[];
  try {
    results = await act(call, state.author.peek() ?? "", key);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) state.needsToken.value = true;
    throw error;
  }
  batch(() => {
    takeAnswers(results);
    const treated = new Set(call.alerts);
    state.selected.value = new Set([...state.selected.peek()].filter((id) => !treated.has(id)));
    const applied = new Set(results.filter((result) => result.outcome === "applied").map((result) => result.id));
    const calls = isUndoing(call.verb) ? [] : undo(call, applied, before, state.serverNow());
    const summary = summarize(call.verb, results);
    const toast = say({
      text: summary.text,
      detail: summary.reason,
      failed: summary.failed,
      action: calls.length > 0 ? { label: "Undo", run: undoLast } : null,
    });
    if (calls.length > 0) lastUndo = { calls, toast };
  });
}

/** Take back the last action. */
export function undoLast(): void {
  if (!lastUndo) {
    say({ text: "There is nothing to undo.", failed: true });
    return;
  }
  const { calls, toast } = lastUndo;
  lastUndo = null;
  dismiss(toast);
  void undoAll(calls);
}

/** Each call keeps its own key, so that a retry of the undo does nothing twice. */
async function undoAll(calls: Call[]): Promise<void> {
  const open = calls.map((call) => ({ call, key: newKey() }));
  const attempt = async (): Promise<void> => {
    let undone = 0;
    try {
      for (let next = open[0]; next; next = open[0]) {
        const results = await act(next.call, state.author.peek() ?? "", next.key);
        takeAnswers(results);
        undone += results.filter((result) => result.outcome === "applied").length;
        open.shift();
      }
      say({ text: `Undone for ${countAlerts(undone)}`, failed: false });
    } catch (error) {
      const message = error instanceof ApiError ? error.message : String(error);
      say({ text: `Not undone: ${message}`, failed: true, action: { label: "Try again", run: () => void attempt() } });
    }
  };
  await attempt();
}

function takeAnswers(results: readonly ActionResult[]): void {
  for (const { alert } of results) {
    if (!alert) continue;
    applyAnswer(state.board, alert);
    closedChanged(alert);
  }
  boardChanged();
}

function knownAlerts(ids: readonly string[]): Map<string, Alert> {
  const known = new Map<string, Alert>();
  for (const id of ids) {
    const row = state.board.rows.get(id);
    if (row) known.set(id, row.alert);
  }
  return known;
}

function isUndoing(verb: Verb | Undoing): boolean {
  return verb.startsWith("un");
}

function say(
  toast: { text: string; detail?: string | null; failed: boolean } & Partial<Pick<state.Toast, "action">>,
): number {
  const id = ++toastNumber;
  // Three are enough to look at.
  state.toasts.value = [...state.toasts.peek().slice(-2), { detail: null, action: null, ...toast, id }];
  setTimeout(() => fade(id), toast.failed ? 2 * TOAST_MS : TOAST_MS);
  return id;
}

/** A toast goes away by itself, but not while somebody points at it. */
function fade(id: number): void {
  if (state.pointerOnToasts.peek()) setTimeout(() => fade(id), TOAST_MS / 4);
  else dismiss(id);
}

/** Take a toast away. */
export function dismiss(id: number): void {
  state.toasts.value = state.toasts.peek().filter((toast) => toast.id !== id);
}

/** Somebody moves by keyboard: rows keep still for a while. */
export function keyboardUsed(): void {
  state.keyboardActive.value = true;
  clearTimeout(keyboardTimer);
  keyboardTimer = setTimeout(() => {
    state.keyboardActive.value = false;
  }, KEYBOARD_HOLD_MS);
}

/** A random UUID; `crypto.randomUUID` is not there on plain HTTP. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
