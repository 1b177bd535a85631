import { useLayoutEffect } from "preact/hooks";
import { address } from "../../address";
import { focusPage } from "../../kit/focus";
import { cut } from "../../kit/text";
import { wordDuration } from "../../kit/time";
import { minuteText } from "../../kit/zone";
import { type Alert, SEVERITIES } from "../../protocol";
import { clock, clockOffset, stale } from "../../session";
import { comparison } from "../alerts/board";
import { DEFAULT_SORT } from "../alerts/columns";
import { passing } from "../alerts/facets";
import { readPlace } from "../alerts/place";
import * as alerts from "../alerts/store";

/** What is below the edge of the screen is not drawn. */
const ROWS_MOST = 40;

/**
 * A board for a screen that is only looked at: how many alerts need attention, and the worst of them. It asks for no input, and
 * says so when what it shows may be old. The facets of its address choose what it shows.
 */
export default function Wall() {
  useLayoutEffect(focusPage, []);
  const now = clock.value;
  const old = stale.value;
  const { facets } = readPlace(address.value).choice;
  const counts = alerts.board.tally.counts("severity", "attention", facets);
  const total = alerts.board.tally.total("attention", facets);
  return (
    <main class={`wall ${old ? "is-stale" : ""}`} data-testid="wall">
      <div class="wall-head">
        <h1 tabIndex={-1} data-page-focus>
          {headline(total)}
        </h1>
        <a href="/alerts">{minuteText(now)}</a>
      </div>
      {old && (
        <p class="wall-stale" role="alert" data-testid="wall-stale">
          Unknown since {minuteText(old.since + clockOffset.value)}. This is what was known then.
        </p>
      )}
      <ul class="wall-counts" aria-label="By severity">
        {[...SEVERITIES].reverse().map((severity) =>
          counts[severity] ? (
            <li key={severity} class={`sev-${severity}`}>
              <b>{counts[severity].toLocaleString("en")}</b> {severity}
            </li>
          ) : null,
        )}
      </ul>
      <ol class="wall-rows">
        {worst(passing("attention", facets)).map((alert) => (
          <li key={alert.fingerprint} class={`sev-${alert.severity}`} data-testid="wall-row">
            <span class="severity">{alert.severity}</span>
            <b dir="auto">{cut(alert.name)}</b>
            <span dir="auto">{cut(alert.object)}</span>
            <span dir="auto">{alert.environment}</span>
            <span>{wordDuration(now - Date.parse(alert.opened_at))}</span>
          </li>
        ))}
      </ol>
    </main>
  );
}

function headline(total: number): string {
  if (!alerts.loaded.value) return "Reading…";
  return total === 0 ? "All is quiet" : `${total.toLocaleString("en")} to attend to`;
}

function worst(passes: ReturnType<typeof passing>): Alert[] {
  const rows = [...alerts.board.rows.values()].filter((row) => !row.removed && passes(row));
  // The rows keep the sort key of the table: here all are compared by severity.
  const bySeverity = rows.map((row) => ({ ...row, key: row.rank }));
  return bySeverity
    .sort(comparison(DEFAULT_SORT))
    .slice(0, ROWS_MOST)
    .map((row) => row.alert);
}
