/** The commands of the alerts page; the verbs among them are of the table of verbs. */
import type { Command } from "../../commands";
import { focusPage } from "../../kit/focus";
import { alarmOn, switchAlarm } from "./alarm";
import { LIST_NAMES, LISTS } from "./facets";
import { showNew } from "./live";
import { beginAction, keyboardUsed, targets, undoLast } from "./operate";
import { selectAll } from "./rows";
import { extend, step, toggle } from "./selection";
import { silenceTargets } from "./silence";
import * as state from "./store";
import { rowHeight } from "./table-size";
import { TABS, type Tab, tabFrom } from "./tabs";
import { VERB_NAMES, VERBS } from "./verbs";

const MOVE = "In the list";
const ACT = "Alert or selection";
const LIST = "Lists";
const DETAILS = "Details";

type By = number | "page-up" | "page-down" | "first" | "last";

/** Each way to move, alone and with the shift key, which selects on the way. */
const MOVES: readonly [id: string, title: string, keys: string[], extending: string[], by: By][] = [
  ["next", "next alert", ["j", "ArrowDown"], ["J", "Shift+ArrowDown"], 1],
  ["previous", "previous alert", ["k", "ArrowUp"], ["K", "Shift+ArrowUp"], -1],
  ["page-down", "a page down", ["PageDown"], ["Shift+PageDown"], "page-down"],
  ["page-up", "a page up", ["PageUp"], ["Shift+PageUp"], "page-up"],
  ["first", "first alert", ["Home"], ["Shift+Home"], "first"],
  ["last", "last alert", ["End"], ["Shift+End"], "last"],
];

const isOpenList = () => !state.isClosedList.peek();
const hasTargets = () => targets().length > 0;
const areDetailsOpen = () => state.openedId.peek() !== null;

export const ALERT_COMMANDS: readonly Command[] = [
  ...MOVES.flatMap(([id, title, keys, extending, by]): Command[] => [
    { id, title, group: MOVE, keys, scope: "free", onlyKey: true, run: () => move(by, false) },
    {
      id: `${id}-extend`,
      title: `${title}, selecting on the way`,
      group: MOVE,
      keys: extending,
      scope: "free",
      onlyKey: true,
      run: () => move(by, true),
    },
  ]),
  { id: "select", title: "select", group: MOVE, keys: ["x", " "], scope: "list", onlyKey: true, run: selectCurrent },
  {
    id: "select-all",
    title: "Select all that are shown",
    group: MOVE,
    keys: ["Ctrl+A"],
    scope: "free",
    run: () => selectAll(true),
  },
  { id: "open", title: "open the details", group: MOVE, keys: ["Enter"], scope: "free", onlyKey: true, run: open },
  {
    id: "close",
    title: "clear the selection, close the details",
    group: MOVE,
    keys: ["Escape"],
    scope: "page",
    onlyKey: true,
    run: close,
  },
  ...VERB_NAMES.flatMap((verb): Command[] => {
    const { title, icon, key, atOnce } = VERBS[verb];
    const common = { group: ACT, icon, scope: "list" as const, available: () => isOpenList() && hasTargets() };
    const act = (ask: boolean) => () => beginAction(verb, targets(), ask);
    return [
      { ...common, id: verb, title, keys: [key], available: isOpenList, run: act(false) },
      ...(atOnce
        ? [
            {
              ...common,
              id: `${verb}-ask`,
              title: `${title} with a comment`,
              keys: [key.toUpperCase()],
              run: act(true),
            },
          ]
        : []),
    ];
  }),
  {
    id: "silence",
    title: "Silence",
    group: ACT,
    icon: "silence",
    keys: ["m"],
    scope: "list",
    available: hasTargets,
    run: () => silenceTargets(targets()),
  },
  { id: "undo", title: "Undo the last action", group: ACT, icon: "reopen", keys: ["u"], scope: "list", run: undoLast },
  { id: "undo-anywhere", title: "Undo the last action", group: ACT, keys: ["Ctrl+Z"], onlyKey: true, run: undoLast },
  ...([1, -1] as const).map(
    (by): Command => ({
      id: by > 0 ? "tab-next" : "tab-previous",
      title: `${by > 0 ? "next" : "previous"} tab of the details`,
      group: DETAILS,
      keys: [by > 0 ? "]" : "["],
      scope: "page",
      onlyKey: true,
      available: areDetailsOpen,
      run: () => openTab(tabFrom(state.tab.peek(), by)),
    }),
  ),
  ...TABS.map(
    ({ id, title }): Command => ({
      id: `tab-${id}`,
      title: `${title} of the alert`,
      group: DETAILS,
      available: areDetailsOpen,
      run: () => openTab(id),
    }),
  ),
  {
    id: "filter",
    title: "Filter",
    group: LIST,
    icon: "search",
    keys: ["/"],
    scope: "page",
    run: () => document.getElementById("filter")?.focus(),
  },
  { id: "clear-filter", title: "Clear the filter", group: LIST, icon: "close", run: state.clearChoice },
  { id: "show-new", title: "Show the new ones that wait", group: LIST, keys: ["n"], scope: "free", run: showNew },
  ...[true, false].map(
    (on): Command => ({
      id: on ? "alarm-on" : "alarm-off",
      title: on ? "Call with sound and notifications" : "Call no more",
      group: LIST,
      icon: "bell",
      available: () => alarmOn.peek() !== on,
      run: () => void switchAlarm(on),
    }),
  ),
  ...LIST_NAMES.map(
    (name): Command => ({
      id: `list-${name}`,
      title: LISTS[name].title,
      group: LIST,
      icon: "menu",
      run: () => state.openList(name),
    }),
  ),
];

function move(by: By, extending: boolean): void {
  const order = state.shown.peek().map((row) => row.id);
  const page = Math.max(1, Math.floor((document.getElementById("alerts")?.clientHeight ?? 0) / rowHeight.peek()) - 2);
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
  else focusPage();
  keyboardUsed();
}

function selectCurrent(): void {
  const id = state.cursorId.peek();
  if (id === null) return;
  state.selected.value = toggle(state.selected.peek(), id);
  state.anchorId.value = id;
  keyboardUsed();
}

function open(): void {
  state.openedId.value = state.cursorId.peek() ?? state.openedId.peek();
}

function openTab(tab: Tab): void {
  state.tab.value = tab;
}

/** Leave what was entered last: the selection, the details, the row. */
function close(): void {
  if (state.selected.peek().size > 0) state.selected.value = new Set();
  else if (state.openedId.peek() !== null) state.openedId.value = null;
  else state.cursorId.value = null;
}
