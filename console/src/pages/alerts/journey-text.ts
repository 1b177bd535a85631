/** A journey as plain text, for a ticket or a chat. */
import type { HistoryEntry, Journey, Received } from "../../protocol";

export function journeyText({ alert, past, has_older, upcoming }: Journey): string {
  const standing = alert.closed_at
    ? `closed since ${alert.closed_at}`
    : `open, ${alert.severity}, since ${alert.opened_at}`;
  return [
    `${alert.name} on ${alert.object} (${alert.environment}), ${standing}`,
    ...(has_older ? ["(older lines are left out)"] : []),
    ...past.map(pastLine),
    "--- now ---",
    ...upcoming.map(({ at, message }) => `${at ?? "no time yet"}  ${message}`),
  ].join("\n");
}

function pastLine({ at, actor, message, received, event_id }: HistoryEntry): string {
  const text = `${at}  ${actor}: ${message}`;
  return received ? `${text} [${receivedText(received, event_id)}]` : text;
}

function receivedText({ source, accepted_at, key, rules = [] }: Received, event: string | undefined): string {
  return [
    `received from ${source} at ${accepted_at}`,
    ...(key === undefined ? [] : [`key ${key}`]),
    ...(rules.length === 0 ? [] : [`rules ${rules.join(", ")}`]),
    ...(event === undefined ? [] : [`event ${event}`]),
  ].join("; ");
}
