/** The heartbeats of the site, each with its alert if it has ever had one. */
import { readHeartbeatAlerts, readSite } from "../../api";
import { resource } from "../../kit/resource";
import type { Alert, Heartbeat } from "../../protocol";

export type HeartbeatState = "missed" | "calling" | "disabled" | "silent";

/** A heartbeat, and its alert. */
export interface HeartbeatRow extends Heartbeat {
  id: string;
  state: HeartbeatState;
  /** Null when it was never missed. */
  beat: Alert | null;
}

export const heartbeats = resource<HeartbeatRow[]>(async () => {
  const [site, alerts] = await Promise.all([readSite(), readHeartbeatAlerts()]);
  return rowsOf(site.heartbeats, alerts);
});

/** The rows, those that are missed first. */
export function rowsOf(declared: readonly Heartbeat[], alerts: readonly Alert[]): HeartbeatRow[] {
  const rows = declared.map((heartbeat) => {
    const { name, integration } = heartbeat;
    const beat = alerts.find((alert) => alert.object === name && alert.integration === integration) ?? null;
    return { ...heartbeat, id: name, beat, state: stateOf(heartbeat, beat) };
  });
  const isMissed = (row: HeartbeatRow) => Number(row.state === "missed");
  return rows.sort((a, b) => isMissed(b) - isMissed(a) || a.name.localeCompare(b.name));
}

/** What was never missed may be called or not have begun: the server tells no more of it. */
function stateOf({ by_client }: Heartbeat, beat: Alert | null): HeartbeatState {
  if (by_client?.disabled) return "disabled";
  if (beat === null) return "silent";
  return beat.status === "open" ? "missed" : "calling";
}
