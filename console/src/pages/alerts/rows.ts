/** What a reader does to the rows that are shown. */
import { keyboardUsed } from "./operate";
import { extend, toggle } from "./selection";
import * as state from "./store";

/** Choose all rows that are shown, or none. */
export function selectAll(all: boolean): void {
  const rows = all ? state.shown.peek().filter((row) => !row.removed && row.passes) : [];
  state.selected.value = new Set(rows.map((row) => row.id));
}

/** A click on a row opens it; on its box, or with a key held, it selects. */
export function clickRow(event: MouseEvent): void {
  const target = event.target as HTMLElement;
  const id = target.closest<HTMLElement>("[data-id]")?.dataset.id;
  if (id === undefined) return;
  const order = () => state.shown.peek().map((row) => row.id);
  keyboardUsed();
  if (event.shiftKey) {
    state.selected.value = extend(state.selected.peek(), order(), state.anchorId.peek() ?? state.cursorId.peek(), id);
    getSelection()?.removeAllRanges();
  } else if (target.closest(".cell-check") || event.ctrlKey || event.metaKey) {
    state.selected.value = toggle(state.selected.peek(), id);
  } else if (getSelection()?.isCollapsed !== false) {
    state.openedId.value = state.openedId.peek() === id ? null : id;
  }
  state.anchorId.value = id;
  state.cursorId.value = id;
}
