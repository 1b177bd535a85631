/**
 * A site as a site document, as far as what the server shows of it goes: integrations and bots have keys and secrets, which it
 * does not show. A section that is not in a document stays as it is, so they are left out.
 */
import { toYaml } from "../../kit/yaml";
import type { Heartbeat, Mapping, Problem, Scenario, Site } from "../../protocol";

/** The sections that {@link documentOf} leaves out. */
export const LEFT_OUT = ["integrations", "bots"] as const;

export function documentOf(site: Site): string {
  const { environments, scenarios, mappings, heartbeats, rules } = site;
  return toYaml({
    environments,
    scenarios: scenarios.map(scenarioText),
    mappings: mappings.map(mappingText),
    // Those that clients have made are no part of a document.
    heartbeats: heartbeats.filter((heartbeat) => heartbeat.by_client === undefined).map(heartbeatText),
    rules,
  });
}

function scenarioText({ steps, ...scenario }: Scenario): object {
  return {
    ...scenario,
    steps: steps.map(({ delay_seconds, ...step }) => ({ ...step, delay: `${delay_seconds}s` })),
  };
}

function heartbeatText({ period_seconds, grace_seconds, by_client: _, ...heartbeat }: Heartbeat): object {
  return { ...heartbeat, period: `${period_seconds}s`, grace: `${grace_seconds}s` };
}

/** A document lists the sender's words by what they mean; the site has what each means. */
function mappingText({ states, severities, ...mapping }: Mapping): object {
  return { ...mapping, ...inverted("states", states), ...inverted("severities", severities) };
}

function inverted(name: string, words: Readonly<Record<string, string>> = {}): object {
  const by: Record<string, string[]> = {};
  for (const [word, meaning] of Object.entries(words)) by[meaning] = [...(by[meaning] ?? []), word];
  return Object.keys(by).length === 0 ? {} : { [name]: by };
}

const VARIABLE = /\$\{[A-Za-z_][A-Za-z0-9_]*\}/g;

/** The variables in a document: here there is nothing to replace them by, so they would be taken as they are written. */
export function variablesIn(text: string): Problem[] {
  return text.split("\n").flatMap((line, index) =>
    [...line.matchAll(VARIABLE)]
      .filter((found) => !/(?:^|\s)#/.test(line.slice(0, found.index)))
      .map((found) => ({
        line: index + 1,
        column: found.index + 1,
        message: `${found[0]} is replaced by \`reveille apply\` only`,
        remedy: "write its value here, or apply the file with `reveille apply`",
      })),
  );
}

/** The place of a line and a column, both from 1, in a text. */
export function placeOf(text: string, line: number, column: number): number {
  const before = text.split("\n").slice(0, line - 1);
  const start = before.reduce((sum, one) => sum + one.length + 1, 0);
  return Math.min(text.length, start + column - 1);
}
