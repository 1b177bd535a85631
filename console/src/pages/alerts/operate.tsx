/** Does what operators want done, says what became of it, and offers to take it back. */
import { batch } from "@preact/signals";
import { ApiError, act } from "../../api";
import { withAuthor } from "../../identity";
import { openDialog, TYPED_COUNT_ABOVE } from "../../kit/forms";
import { dismiss, say } from "../../kit/toasts";
import type { ActionResult, Alert } from "../../protocol";
import { author, needsToken, serverNow } from "../../session";
import { ActionDialog } from "./ActionDialog";
import { type Attempt, attempted, type Call, countAlerts, isUndoing, summarize, undo as undoing } from "./actions";
import { applyAnswer } from "./board";
import { closedChanged } from "./closed";
import { boardChanged } from "./live";
import * as state from "./store";
import { type Undoing, VERBS, type Verb } from "./verbs";

const KEYBOARD_HOLD_MS = 8000;
/** So many actions can be taken back, the last one first. */
const UNDOS_MOST = 50;

/** What takes one action back, and the toast that offers it. */
interface Undo {
  verb: Verb | Undoing;
  calls: Call[];
  toast: number;
}

/** The actions that can be taken back, the last one at the end. */
let undos: Undo[] = [];
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
    const attempt = attempts();
    if (ask || !VERBS[verb].atOnce || ids.length > TYPED_COUNT_ABOVE)
      openDialog(() => <ActionDialog key={verb} verb={verb} ids={ids} attempt={attempt} />);
    else void runShown({ verb, alerts: ids, fields: {} });
  });
}

/** Take back what was done to an alert, however long ago. */
export function takeBack(verb: Undoing, id: string): void {
  withAuthor(() => void runShown({ verb, alerts: [id], fields: {} }));
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
    results = await act(call, author.peek() ?? "", key);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) needsToken.value = true;
    throw error;
  }
  batch(() => {
    takeAnswers(results);
    const treated = new Set(call.alerts);
    state.selected.value = new Set([...state.selected.peek()].filter((id) => !treated.has(id)));
    const applied = new Set(results.filter((result) => result.outcome === "applied").map((result) => result.id));
    const calls = isUndoing(call.verb) ? [] : undoing(call, applied, before, serverNow());
    const summary = summarize(call.verb, results);
    const undo: Undo = { verb: call.verb, calls, toast: 0 };
    undo.toast = say({
      text: summary.text,
      detail: summary.reason,
      failed: summary.failed,
      action: calls.length > 0 ? { label: "Undo", key: "u", run: () => takeBackAction(undo) } : null,
    });
    if (calls.length > 0) undos = [...undos.slice(1 - UNDOS_MOST), undo];
  });
}

/** Take back the last action that was not taken back yet. */
export function undoLast(): void {
  const last = undos.at(-1);
  if (last) takeBackAction(last);
  else say({ text: "There is nothing to undo.", failed: true });
}

function takeBackAction(undo: Undo): void {
  const place = undos.indexOf(undo);
  if (place < 0) return;
  // What a later action of the same kind has put in its place is not its own.
  const later = undos.slice(place + 1).filter((other) => other.verb === undo.verb);
  const replaced = new Set(later.flatMap((other) => other.calls.flatMap((call) => call.alerts)));
  const calls = undo.calls
    .map((call) => ({ ...call, alerts: call.alerts.filter((id) => !replaced.has(id)) }))
    .filter((call) => call.alerts.length > 0);
  undos = undos.filter((other) => other !== undo);
  dismiss(undo.toast);
  if (calls.length > 0) void undoAll(calls);
  else say({ text: "Nothing to undo: a later action has replaced it.", failed: false });
}

/** Each call keeps its own key, so that a retry of the undo does nothing twice. */
async function undoAll(calls: Call[]): Promise<void> {
  const open = calls.map((call) => ({ call, key: newKey() }));
  const attempt = async (): Promise<void> => {
    let undone = 0;
    try {
      for (let next = open[0]; next; next = open[0]) {
        const results = await act(next.call, author.peek() ?? "", next.key);
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

/** The reader moves by keyboard: rows keep still for a while. */
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
