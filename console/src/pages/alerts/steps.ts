/** How a step of a scenario stands for an alert, as far as the ledger and the alert say. */
import { type Alert, type Endpoint, type LedgerEntry, SEVERITIES, type Step } from "../../protocol";

export type Standing = { kind: "sent" } | { kind: "due"; at: number } | { kind: "not-sent"; reason: string };

/** Whether a target of a step was notified, will be, or is not and why. What holds back a step that is over is in the history. */
export function standingOf(
  { step, target }: { step: Step; target: Endpoint },
  alert: Alert,
  entries: readonly LedgerEntry[],
  now: number,
): Standing {
  const isSent = entries.some(
    (entry) =>
      entry.episode === alert.episode &&
      entry.channel === target.channel &&
      entry.destination === target.destination &&
      (entry.bot ?? target.bot) === (target.bot ?? entry.bot),
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
