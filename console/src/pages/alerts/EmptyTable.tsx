import { minuteText } from "../../kit/zone";
import { clockOffset, stale, status } from "../../session";
import * as closed from "./closed";
import { FirstSteps, useIsNew } from "./FirstSteps";
import { LISTS } from "./facets";
import * as state from "./store";

/** What stands where the rows would be when there are none. */
export function EmptyTable() {
  const isNarrowed = state.isNarrowed.value;
  const isOpenList = !state.isClosedList.value && state.loaded.value && !stale.value && !isNarrowed;
  if (useIsNew(isOpenList && state.board.rows.size === 0)) return <FirstSteps />;
  return (
    <div class="empty" data-testid="empty">
      <p>{emptyText(isNarrowed)}</p>
      {isNarrowed && (
        <button type="button" class="button" onClick={state.clearChoice}>
          Clear the filter
        </button>
      )}
    </div>
  );
}

function waitingText(): string {
  if (status.value.kind === "waiting") return "The server cannot be reached.";
  const ahead = state.waitingBehind.value;
  return ahead ? `Waiting: ${ahead} other consoles read their lists first.` : "Reading…";
}

function emptyText(isNarrowed: boolean): string {
  const { empty } = LISTS[state.list.value];
  if (state.isClosedList.value) {
    if (closed.problem.value) return closed.problem.value;
    if (closed.loading.value) return "Reading…";
    return isNarrowed ? "No closed alert passes the filter." : empty;
  }
  // An empty list that may be old is no good news: nothing is known since then.
  const old = stale.value;
  if (old) return `Unknown since ${minuteText(old.since + clockOffset.value)}.`;
  if (!state.loaded.value) return waitingText();
  return isNarrowed ? "No alert of this list passes the filter." : empty;
}
