import { wordDuration } from "../kit/time";
import { reconnect } from "../pages/alerts/live";
import { clock, clockOffset, stale, status } from "../session";

/** The clear sign over the table that what it shows may be old. It covers nothing of use and moves no row. */
export function StaleBanner() {
  const old = stale.value;
  if (!old) return null;
  const now = clock.value - clockOffset.value;
  const line = status.value;
  const ago = wordDuration(now - old.since);
  const retry = line.kind === "waiting" ? Math.max(0, Math.ceil((line.retryAt - now) / 1000)) : null;
  return (
    <div class="stale-banner" data-testid="stale-banner">
      <span role="alert">
        <strong>This list may be out of date.</strong>
      </span>
      <span>
        {old.why === "line"
          ? `Nothing was heard from the server for ${ago}. `
          : `The server's view has heard nothing for ${ago}; it catches up by itself. `}
        {old.why === "line" && (retry === null ? "Connecting…" : `Trying again in ${retry}s.`)}
      </span>
      {line.kind === "waiting" && (
        <button type="button" class="button" onClick={reconnect}>
          Try now
        </button>
      )}
    </div>
  );
}
