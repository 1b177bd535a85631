/** Begins a silence of alerts, with the matchers that they have in common filled in. */
import { withAuthor } from "../../identity";
import { say } from "../../kit/toasts";
import { commonMatchers } from "./matchers";
import * as state from "./store";

export function silenceTargets(ids: readonly string[]): void {
  const rows = new Map(state.shown.peek().map((row) => [row.id, row.alert]));
  const alerts = ids.flatMap((id) => state.board.rows.get(id)?.alert ?? rows.get(id) ?? []);
  if (alerts.length === 0) {
    say({ text: "Choose an alert first.", failed: true });
    return;
  }
  const labels = [...new Set(alerts.slice(0, 100).flatMap((alert) => Object.keys(alert.labels ?? {})))].sort();
  withAuthor(() => {
    void import("../silences/SilenceForm").then(({ openSilenceForm }) =>
      openSilenceForm({ matchers: commonMatchers(alerts), labels }),
    );
  });
}
