/** Matchers of silences: what they look at, and those that alerts have in common. */
import type { Alert, Matcher } from "../../protocol";

/** The fields of an alert that matchers can name, as the server has them. */
export const FIELDS: Record<string, (alert: Alert) => string> = {
  alertname: (alert) => alert.name,
  object: (alert) => alert.object,
  source: (alert) => alert.source,
  service: (alert) => alert.service ?? "",
  integration: (alert) => alert.integration,
  monitoring_system: (alert) => alert.monitoring_system,
  environment: (alert) => alert.environment,
  severity: (alert) => alert.severity,
};

/** What a matcher of this name looks at: the label, unless it is absent or empty; or else the field; or else the empty text. */
export function matchedValue(alert: Alert, name: string): string {
  return alert.labels?.[name] || FIELDS[name]?.(alert) || "";
}

/** The names that are filled in, in order. */
const COMMON_NAMES = ["environment", "alertname", "object"];
/** A name with more different values is left out: the preview shows what that makes of it. */
const VALUES_MOST = 20;

/** Matchers that match all of these alerts, by as few values as there are. */
export function commonMatchers(alerts: readonly Alert[]): Matcher[] {
  return COMMON_NAMES.flatMap((name): Matcher[] => {
    const values = [...new Set(alerts.map((alert) => matchedValue(alert, name)))];
    if (values.length === 1) return [{ name, operator: "=", value: values[0] as string }];
    if (values.length > VALUES_MOST) return [];
    return [{ name, operator: "=~", value: values.sort().map(escaped).join("|") }];
  });
}

/** A text as a regular expression that matches only it. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
