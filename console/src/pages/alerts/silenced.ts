/**
 * Which alerts are silenced now, as the console works it out from the silences: what the server sends of an alert does not
 * say so. A regular expression that the browser does not know marks nothing.
 */
import type { Alert, Matcher, Silence } from "../../protocol";
import { matchedValue } from "./matchers";

export type SilenceOf = (alert: Alert) => Silence | null;

/** The first active silence of each alert. */
export function silencesOf(silences: readonly Silence[]): SilenceOf {
  const active = silences.flatMap((silence) => {
    const tests = silence.state === "active" ? silence.matchers.map(testOf) : [null];
    return tests.includes(null) ? [] : [{ silence, tests: tests as ((alert: Alert) => boolean)[] }];
  });
  const known = new WeakMap<Alert, Silence | null>();
  return (alert) => {
    if (active.length === 0) return null;
    const before = known.get(alert);
    if (before !== undefined) return before;
    const found = active.find(({ tests }) => tests.every((test) => test(alert)))?.silence ?? null;
    known.set(alert, found);
    return found;
  };
}

function testOf({ name, operator, value }: Matcher): ((alert: Alert) => boolean) | null {
  const read = (alert: Alert) => matchedValue(alert, name);
  if (operator === "=") return (alert) => read(alert) === value;
  if (operator === "!=") return (alert) => read(alert) !== value;
  const [, flags = "", pattern = ""] = /^(?:\(\?([ims]+)\))?(.*)$/s.exec(value) ?? [];
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${pattern})$`, flags);
  } catch {
    return null;
  }
  return (alert) => expression.test(read(alert)) === (operator === "=~");
}
