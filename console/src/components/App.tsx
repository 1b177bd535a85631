import { useEffect, useState } from "preact/hooks";
import { intentOf } from "../keyboard";
import { showNew } from "../live";
import { beginAction, keyboardUsed, targets, undoLast } from "../operate";
import { extend, step, toggle } from "../selection";
import * as state from "../state";
import { AlertTable, selectAll } from "./AlertTable";
import { Details } from "./Details";
import { Dialogs } from "./Dialogs";
import { Header, StaleBanner } from "./Header";
import { Sidebar } from "./Sidebar";
import { Toasts } from "./Toasts";
import { Toolbar } from "./Toolbar";

/** The whole page. */
export function App() {
  const [menuOpen, setMenuOpen] = useState(false);
  const opened = state.openedId.value;
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const classes = ["app", menuOpen && "menu-open", opened && "details-open", state.stale.value && "is-stale"];
  return (
    <div class={classes.filter(Boolean).join(" ")}>
      <Header onMenu={() => setMenuOpen(!menuOpen)} />
      <Sidebar onChosen={() => setMenuOpen(false)} />
      <main>
        <Toolbar />
        <AlertTable />
        <StaleBanner />
      </main>
      {opened && <Details id={opened} />}
      <Toasts />
      <Dialogs />
    </div>
  );
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || state.dialog.peek() || state.needsToken.peek()) return;
  const target = event.target as HTMLElement;
  if (target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
  // What has the focus takes these keys for itself.
  if (["Enter", " "].includes(event.key) && target.closest("button, a, summary, input")) return;
  const intent = intentOf(event, state.lettersOn.peek());
  if (!intent) return;
  const table = document.getElementById("alerts");
  if (intent.kind === "select-all" && target !== document.body && !table?.contains(target)) return;
  event.preventDefault();
  switch (intent.kind) {
    case "move":
      move(intent.by, intent.extend);
      break;
    case "select":
      selectCurrent();
      break;
    case "select-all":
      selectAll(true);
      break;
    case "do":
      if (state.list.peek() === "open") beginAction(intent.verb, targets(), intent.ask);
      break;
    case "undo":
      undoLast();
      break;
    case "open":
      state.openedId.value = state.cursorId.peek() ?? state.openedId.peek();
      break;
    case "close":
      close();
      break;
    case "filter":
      document.getElementById("filter")?.focus();
      break;
    case "show-new":
      showNew();
      break;
    case "help":
      state.dialog.value = { kind: "help" };
      break;
  }
}

function move(by: number | "page-up" | "page-down" | "first" | "last", extending: boolean): void {
  const order = state.shown.peek().map((row) => row.id);
  const page = Math.max(1, Math.floor((document.getElementById("alerts")?.clientHeight ?? 0) / 34) - 2);
  const steps = { "page-up": -page, "page-down": page };
  const from = state.cursorId.peek();
  const to =
    by === "first" || by === "last"
      ? order.at(by === "first" ? 0 : -1)
      : step(order, from, typeof by === "number" ? by : steps[by], state.cursorPlace.peek());
  if (!to) return;
  if (extending) state.selected.value = extend(state.selected.peek(), order, from ?? to, to);
  state.cursorId.value = to;
  state.anchorId.value = to;
  if (state.openedId.peek() !== null) state.openedId.value = to;
  keyboardUsed();
  document.getElementById("alerts")?.focus({ preventScroll: true });
}

function selectCurrent(): void {
  const id = state.cursorId.peek();
  if (id === null) return;
  state.selected.value = toggle(state.selected.peek(), id);
  state.anchorId.value = id;
  keyboardUsed();
}

/** Leave what was entered last: the selection, the details, the row. */
function close(): void {
  if (state.selected.peek().size > 0) state.selected.value = new Set();
  else if (state.openedId.peek() !== null) state.openedId.value = null;
  else state.cursorId.value = null;
}
