/** Whether an alert passes a filter, as the server decides it. */
import { FIELDS } from "../src/pages/alerts/matchers";
import type { Alert, Filter } from "../src/protocol";

/** A wrong regular expression throws. */
export function predicate(filter: Filter): (alert: Alert) => boolean {
  const tests: ((alert: Alert) => boolean)[] = (filter.matchers ?? []).map(matcherTest);
  const { environments, states, severities } = filter;
  if (environments?.length) tests.push((alert) => environments.includes(alert.environment));
  if (states?.length) tests.push((alert) => states.includes(alert.operator_state));
  if (severities?.length) tests.push((alert) => severities.includes(alert.severity));
  if (filter.text) {
    const text = filter.text.toLowerCase();
    tests.push((alert) =>
      [alert.name, alert.object, alert.output, alert.source, ...Object.values(alert.labels ?? {})].some((part) =>
        part.toLowerCase().includes(text),
      ),
    );
  }
  return (alert) => tests.every((test) => test(alert));
}

/** Takes the one form the console sends: `name="value"`, quoted as in JSON. */
function matcherTest(matcher: string): (alert: Alert) => boolean {
  const match = /^([^=!~]+)(=~|!~|!=|=)(".*")$/s.exec(matcher);
  if (!match) throw new SyntaxError(`${matcher} is not a matcher`);
  const [, name = "", operator, quoted = ""] = match;
  const value = JSON.parse(quoted) as string;
  const read = FIELDS[name] ?? ((alert: Alert) => alert.labels?.[name] ?? "");
  if (operator === "=") return (alert) => read(alert) === value;
  if (operator === "!=") return (alert) => read(alert) !== value;
  const expression = new RegExp(`^(?:${value})$`, "s");
  return (alert) => expression.test(read(alert)) === (operator === "=~");
}
