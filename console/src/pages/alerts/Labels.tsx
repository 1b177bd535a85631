import { TimeOf } from "../../kit/Age";
import { CopyButton } from "../../kit/Copy";
import { Icon } from "../../kit/Icon";
import { CUT_AT, cut } from "../../kit/text";
import { wordDuration } from "../../kit/time";
import type { Alert } from "../../protocol";
import { matcherFor } from "./filter";
import { FIELDS } from "./matchers";
import * as state from "./store";

/** The labels and fields of an alert, which a click brings into the filter; its annotations, and other facts. */
export function Labels({ alert }: { alert: Alert }) {
  const fields = Object.entries(FIELDS).map(([name, read]): [string, string] => [name, read(alert)]);
  return (
    <>
      <Values title="Labels" values={Object.entries(alert.labels ?? {})} />
      <Values title="Fields" values={fields.filter(([, value]) => value !== "")} />
      <Annotations annotations={alert.annotations ?? {}} />
      <Facts alert={alert} />
    </>
  );
}

/** What the filter box can ask for: to be shown alone, to be excluded, to be copied. */
function Values({ title, values }: { title: string; values: readonly [name: string, value: string][] }) {
  if (values.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <ul class="labels">
        {values.map(([name, value]) => (
          <li key={name}>
            <button
              type="button"
              class="value"
              title={`Show only alerts with ${cut(name)}="${cut(value)}"`}
              data-testid={`only-label-${name}`}
              onClick={() => state.narrow(matcherFor(name, value))}
            >
              <span dir="auto">{cut(name)}</span>
              <bdi title={value.length > CUT_AT ? value : undefined}>{cut(value)}</bdi>
            </button>
            <button
              type="button"
              class="exclude"
              aria-label={`Exclude ${cut(name)} ${cut(value)}`}
              title={`Show no alerts with ${cut(name)}="${cut(value)}"`}
              data-testid={`exclude-label-${name}`}
              onClick={() => state.narrow(matcherFor(name, value, "!="))}
            >
              <Icon name="exclude" />
            </button>
            <CopyButton text={value} label={`Copy ${cut(name)}`} icon="copy" />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What the source says beside the output, each text whole and as it came. */
function Annotations({ annotations }: { annotations: Record<string, string> }) {
  const entries = Object.entries(annotations);
  if (entries.length === 0) return null;
  return (
    <section>
      <h3>Annotations</h3>
      <dl class="annotations" data-testid="annotations">
        {entries.map(([name, text]) => (
          <div key={name}>
            <dt dir="auto">{name}</dt>
            <dd dir="auto">
              {text} <CopyButton text={text} label={`Copy ${cut(name)}`} icon="copy" look="small" />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Facts({ alert }: { alert: Alert }) {
  const time = (at: string) => <TimeOf at={at} />;
  const { counts } = alert;
  const facts: [string, preact.ComponentChild][] = [
    ["Scenario", alert.scenario],
    ["Began, says its source", alert.began_at && time(alert.began_at)],
    ["Opened", time(alert.opened_at)],
    ["First opened", time(alert.first_opened_at)],
    ["Closed", alert.closed_at && time(alert.closed_at)],
    ["Last heard of", time(alert.last_event_at)],
    ["Last change", time(alert.changed_at)],
    [
      "Episode",
      alert.episode === 1 ? "the first" : `${alert.episode}; open for ${wordDuration(alert.total_duration_ms)} before`,
    ],
    [
      "So far",
      `opened ${counts.opened}, updated ${counts.updated}, severity changed ${counts.severity_changed}, ` +
        `closed ${counts.closed}, acknowledged ${counts.acknowledged}, snoozed ${counts.snoozed}`,
    ],
    [
      "Id",
      <span key="id">
        <code>{alert.fingerprint}</code>{" "}
        <CopyButton text={alert.fingerprint} label="Copy the id" icon="copy" look="small" />
      </span>,
    ],
  ];
  return (
    <section>
      <h3>Facts</h3>
      <dl class="facts">
        {facts.map(([name, value]) =>
          value ? (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ) : null,
        )}
      </dl>
    </section>
  );
}
