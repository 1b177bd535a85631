/** How a step of a scenario stands for an alert, as far as the ledger and the alert say. */
import { type Alert, type LedgerEntry, SEVERITIES, type Step } from "../../protocol";

export type Standing = { kind: "sent" } | { kind: "due"; at: number } | { kind: "not-sent"; reason: string };

/** Whether a step was done, will be, or is not done and why. What holds back a step that is over is in the history. */
export function standingOf(step: Step, alert: Alert, entries: readonly LedgerEntry[], now: number): Standing {
  const isSent = entries.some(
    (entry) =>
      entry.episode === alert.episode && entry.channel === step.channel && entry.destination === step.destination,
  );
  if (isSent) return { kind: "sent" };
  if (alert.status === "closed") return { kind: "not-sent", reason: "not sent: the alert has closed" };
  if (SEVERITIES.indexOf(alert.severity) < SEVERITIES.indexOf(step.minimum_severity))
    return { kind: "not-sent", reason: `not while it is ${alert.severity}` };
  if (alert.operator_state !== "active")
    return { kind: "not-sent", reason: `held back: ${alert.operator_state.replace("_", " ")}` };
  const at = Date.parse(alert.opened_at) + step.delay_seconds * 1000;
  return at > now ? { kind: "due", at } : { kind: "not-sent", reason: "not sent; the history says why" };
}
