import * as closed from "../closed";
import { NO_CHOICE } from "../filter";
import * as state from "../state";

/** What stands where the rows would be when there are none. */
export function EmptyTable() {
  const isFiltered = state.filter.value !== null && Object.keys(state.filter.value).length > 0;
  const text = emptyText(isFiltered);
  return (
    <div class="empty" data-testid="empty">
      <p>{text}</p>
      {isFiltered && (
        <button
          type="button"
          class="button"
          onClick={() => {
            state.choice.value = NO_CHOICE;
          }}
        >
          Clear the filter
        </button>
      )}
    </div>
  );
}

function waitingText(): string {
  if (state.status.value.kind === "waiting") return "The server cannot be reached.";
  const ahead = state.waitingBehind.value;
  return ahead ? `Waiting: ${ahead} other consoles read their lists first.` : "Reading…";
}

function emptyText(isFiltered: boolean): string {
  if (state.list.value === "closed") {
    if (closed.problem.value) return closed.problem.value;
    if (closed.loading.value) return "Reading…";
    return isFiltered ? "No closed alert passes the filter." : "No alert has closed yet.";
  }
  if (!state.loaded.value) return waitingText();
  return isFiltered ? "No open alert passes the filter." : "All is quiet: no open alert.";
}
