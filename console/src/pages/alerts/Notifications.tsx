import { useEffect, useState } from "preact/hooks";
import { readNotifications, readSite } from "../../api";
import { Moment, TimeOf } from "../../kit/Age";
import { Icon } from "../../kit/Icon";
import { wordDuration } from "../../kit/time";
import { useRead } from "../../kit/useRead";
import type { Alert, Endpoint, LedgerEntry, Scenario, Step } from "../../protocol";
import { clock } from "../../session";
import { standingOf } from "./steps";
import { CHANNEL_ICONS, LEDGER_WORDS } from "./words";

/** Who was notified and how that stands, and the steps of the scenario that are still to come. */
export function Notifications({ alert }: { alert: Alert }) {
  const { fingerprint: id, version, episode } = alert;
  const { value, problem } = useRead((signal) => readNotifications(id, signal), id, version);
  const scenario = useScenario(alert.scenario);
  const entries = value?.notifications ?? null;
  return (
    <section data-testid="notifications">
      <h3>Notifications</h3>
      {problem && <p class="problem">{problem}</p>}
      {entries?.length === 0 && <p class="quiet">No notification was sent.</p>}
      <ul class="ledger">
        {entries?.map((entry) => (
          <Sent
            key={`${entry.episode} ${entry.channel} ${entry.destination} ${entry.bot}`}
            entry={entry}
            isPast={entry.episode !== episode}
          />
        ))}
      </ul>
      {entries && scenario !== undefined && <Steps alert={alert} entries={entries} scenario={scenario} />}
    </section>
  );
}

/** The scenario as the site has it now: null when it has none of this name, undefined while that is not known. */
function useScenario(name: string): Scenario | null | undefined {
  const [scenarios, setScenarios] = useState<Scenario[] | null>(null);
  useEffect(() => {
    readSite().then(
      (site) => setScenarios(site.scenarios),
      // What was sent is shown without the steps then.
      () => setScenarios(null),
    );
  }, [name]);
  return scenarios === null ? undefined : (scenarios.find((scenario) => scenario.name === name) ?? null);
}

function Steps({ alert, entries, scenario }: { alert: Alert; entries: LedgerEntry[]; scenario: Scenario | null }) {
  if (scenario === null) return <p class="problem">The site has no scenario {alert.scenario}: no one is notified.</p>;
  if (scenario.steps.length === 0)
    return (
      <p class="problem" data-testid="no-steps">
        The scenario {scenario.name} has no steps: {entries.length > 0 ? "no one else is" : "no one is"} notified.
      </p>
    );
  return (
    <ol class="ledger steps" aria-label={`Steps of the scenario ${scenario.name}`}>
      {scenario.steps.flatMap((step, index) =>
        step.targets.map((target) => (
          <StepLine
            key={`${step.id} ${target.channel} ${target.destination} ${target.bot}`}
            alert={alert}
            entries={entries}
            of={{ step, target }}
            number={index + 1}
          />
        )),
      )}
    </ol>
  );
}

function StepLine(properties: {
  alert: Alert;
  entries: LedgerEntry[];
  of: { step: Step; target: Endpoint };
  number: number;
}) {
  const { alert, entries, of, number } = properties;
  const { step, target } = of;
  const standing = standingOf(of, alert, entries, clock.value);
  if (standing.kind === "sent") return null;
  return (
    <li data-testid="step" data-standing={standing.kind}>
      <Icon name={CHANNEL_ICONS[target.channel] ?? "webhook"} />
      <div>
        <div class="ledger-line">
          <b dir="auto" title={target.destination}>
            {target.destination}
          </b>
          <span class="tone tone-pending">
            {standing.kind === "due" ? (
              <>
                due, <Moment at={new Date(standing.at).toISOString()} future />
              </>
            ) : (
              standing.reason
            )}
          </span>
        </div>
        <ul class="quiet ledger-facts">
          <li>step {number}</li>
          <li>
            {target.channel}
            {target.bot && ` by ${target.bot}`}
          </li>
          {step.delay_seconds > 0 && <li>{wordDuration(step.delay_seconds * 1000)} after the opening</li>}
          {step.minimum_severity !== "ok" && <li>from {step.minimum_severity} on</li>}
          {step.window && (
            <li>
              {step.window.from}–{step.window.to} {step.window.time_zone}
            </li>
          )}
        </ul>
      </div>
    </li>
  );
}

function Sent({ entry, isPast }: { entry: LedgerEntry; isPast: boolean }) {
  const words = LEDGER_WORDS[entry.state] ?? { text: entry.state, tone: "pending" };
  const changed = Date.parse(entry.changed_at) > Date.parse(entry.opened_at);
  return (
    <li data-testid="ledger-entry" data-state={entry.state}>
      <Icon name={CHANNEL_ICONS[entry.channel] ?? "webhook"} />
      <div>
        <div class="ledger-line">
          <b dir="auto" title={entry.destination}>
            {entry.destination}
          </b>
          <span class={`tone tone-${words.tone}`}>{words.text}</span>
        </div>
        <ul class="quiet ledger-facts">
          <li>
            {entry.channel}
            {entry.bot && ` by ${entry.bot}`}
          </li>
          <li>
            <TimeOf at={entry.opened_at} />
          </li>
          {changed && (
            <li>
              last change <TimeOf at={entry.changed_at} />
            </li>
          )}
          <li>{entry.sequence === 1 ? "1 message" : `${entry.sequence} messages`}</li>
          {isPast && <li>episode {entry.episode}</li>}
        </ul>
        {entry.error && (
          <div class="problem" dir="auto">
            {entry.error}
          </div>
        )}
      </div>
    </li>
  );
}
