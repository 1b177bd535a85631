/** The integrations and how their keys are used. */
import { readIntegrations } from "../../api";
import { resource } from "../../kit/resource";
import type { Integration } from "../../protocol";

/** An integration with what its keys add up to. */
export interface IntegrationRow extends Integration {
  id: string;
  lastUsed: string | null;
  accepted: number;
  alerts: number;
  refused: number;
  lastRefusal: NonNullable<Integration["keys"][number]["last_refusal"]> | null;
}

export const integrations = resource<IntegrationRow[]>(async () => (await readIntegrations()).integrations.map(summed));

function summed(integration: Integration): IntegrationRow {
  const { keys } = integration;
  const sum = (of: (key: Integration["keys"][number]) => number) => keys.reduce((total, key) => total + of(key), 0);
  const newest = (times: (string | undefined | null)[]) =>
    times.flatMap((at) => at ?? []).sort((a, b) => Date.parse(b) - Date.parse(a))[0] ?? null;
  const refusals = keys.flatMap((key) => key.last_refusal ?? []);
  return {
    ...integration,
    id: integration.name,
    lastUsed: newest(keys.map((key) => key.last_used)),
    accepted: sum((key) => key.accepted),
    alerts: sum((key) => key.alerts),
    refused: sum((key) => Object.values(key.refused).reduce((total, count) => total + count, 0)),
    lastRefusal: refusals.sort((a, b) => Date.parse(b.at) - Date.parse(a.at))[0] ?? null,
  };
}
