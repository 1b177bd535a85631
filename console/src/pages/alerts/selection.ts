/** Which rows are chosen: pure functions over the ids in the order in which they are shown. */

/** With one more row, or one less. */
export function toggle(selected: ReadonlySet<string>, id: string): Set<string> {
  const next = new Set(selected);
  if (!next.delete(id)) next.add(id);
  return next;
}

/** With all rows from the anchor to this one; only this one when the anchor is no longer there. */
export function extend(
  selected: ReadonlySet<string>,
  order: readonly string[],
  anchor: string | null,
  id: string,
): Set<string> {
  const to = order.indexOf(id);
  const from = anchor === null ? -1 : order.indexOf(anchor);
  const next = new Set(selected);
  if (to < 0) return next;
  for (const between of from < 0 ? [id] : order.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(between);
  return next;
}

/** The row the keyboard goes to. Where it was nowhere it begins at `place`, and it stops at the ends. */
export function step(order: readonly string[], current: string | null, by: number, place = 0): string | null {
  const at = current === null ? -1 : order.indexOf(current);
  const to = at >= 0 ? at + by : by > 0 ? place : place - 1;
  return order[Math.max(0, Math.min(order.length - 1, to))] ?? null;
}
