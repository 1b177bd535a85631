import { useEffect, useState } from "preact/hooks";
import { ApiError, readAlert } from "../../api";
import { Age, Moment, TimeOf } from "../../kit/Age";
import { CopyButton } from "../../kit/Copy";
import { useFocusInside } from "../../kit/focus";
import { Icon } from "../../kit/Icon";
import { IconButton } from "../../kit/IconButton";
import { safeLink } from "../../kit/safe-link";
import { CUT_AT, cut } from "../../kit/text";
import { wordDuration } from "../../kit/time";
import type { Alert } from "../../protocol";
import { BadgeMark } from "./AlertRow";
import { matcherFor, withMatcher } from "./filter";
import { History } from "./History";
import { Notifications } from "./Notifications";
import { beginAction, takeBack } from "./operate";
import { States } from "./States";
import { silenceTargets } from "./silence";
import * as state from "./store";
import { VERB_NAMES, VERBS } from "./verbs";

/** All about one alert, beside the table. */
export function Details({ id }: { id: string }) {
  const { alert, problem } = useAlert(id);
  const aside = useFocusInside<HTMLElement>();
  return (
    <aside
      ref={aside}
      class="details"
      aria-label="Details of the alert"
      tabIndex={-1}
      data-testid="details"
      data-id={id}
      data-list-keys
    >
      {alert ? <AlertDetails alert={alert} /> : <NothingYet problem={problem} />}
    </aside>
  );
}

/** The alert as the stream tells it; as the API tells it when the stream does not, or no more. */
function useAlert(id: string): { alert: Alert | null; problem: string | null } {
  const [read, setRead] = useState<Alert | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  state.revision.value;
  const row = state.board.rows.get(id);
  const isLive = row !== undefined && !row.removed;
  const loaded = state.loaded.value;
  useEffect(() => {
    setProblem(null);
    if (isLive || !loaded) return;
    const request = new AbortController();
    readAlert(id, request.signal).then(setRead, (error: unknown) => {
      if (!request.signal.aborted) setProblem(error instanceof ApiError ? error.message : String(error));
    });
    return () => request.abort();
  }, [id, isLive, loaded]);
  const known = row?.alert;
  const fetched = read?.fingerprint === id ? read : null;
  const newest = known && fetched && fetched.version > known.version ? fetched : (known ?? fetched);
  return { alert: newest, problem };
}

function NothingYet({ problem }: { problem: string | null }) {
  return (
    <>
      <div class="details-head">
        <CloseButton />
      </div>
      <p class="empty">{problem ?? "Reading…"}</p>
    </>
  );
}

function CloseButton() {
  return (
    <IconButton
      icon="close"
      label="Close the details"
      title="Close (Esc)"
      testId="close-details"
      look="details-close"
      onClick={() => {
        state.openedId.value = null;
      }}
    />
  );
}

function AlertDetails({ alert }: { alert: Alert }) {
  const id = alert.fingerprint;
  return (
    <>
      <div class={`details-head sev-${alert.severity}`}>
        <div class="details-marks">
          <span class="severity-pill">{alert.severity}</span>
          {alert.badge && <BadgeMark alert={alert} />}
          <span class="details-age" data-testid="details-status">
            {alert.status === "closed" ? "closed " : "open for "}
            {alert.closed_at ? <Moment at={alert.closed_at} /> : <Age since={Date.parse(alert.opened_at)} />}
          </span>
          <span class="space" />
          <CopyButton text={`${location.origin}/alerts/${id}`} label="Copy a link to this alert" icon="link" />
          <CloseButton />
        </div>
        <Name name={alert.name} />
        <p class="details-where">
          {[alert.object, alert.source, alert.environment].map((text, index) => (
            <span key={index} dir="auto" title={text.length > CUT_AT ? text : undefined}>
              {cut(text)}
            </span>
          ))}
        </p>
      </div>
      <div class="details-actions">
        {alert.status === "closed" ? (
          <button type="button" class="button" data-testid="reopen" onClick={() => takeBack("unresolve", id)}>
            <Icon name="reopen" /> Reopen
          </button>
        ) : (
          VERB_NAMES.map((verb) => (
            <button
              key={verb}
              type="button"
              class="button"
              title={`${VERBS[verb].title} (${VERBS[verb].key})`}
              data-testid={`details-${verb}`}
              onClick={() => beginAction(verb, [id], false)}
            >
              <Icon name={VERBS[verb].icon} />
              <span>{VERBS[verb].title}</span>
            </button>
          ))
        )}
        <button
          type="button"
          class="button"
          title="Silence (m)"
          data-testid="details-silence"
          onClick={() => silenceTargets([id])}
        >
          <Icon name="silence" />
          <span>Silence</span>
        </button>
      </div>
      <div class="details-body">
        <States alert={alert} />
        <section>
          <h3>Output</h3>
          <pre data-testid="output" dir="auto">
            {alert.output || "(empty)"}
          </pre>
          {alert.previous_output !== undefined && (
            <details>
              <summary>Previous output</summary>
              <pre dir="auto">{alert.previous_output}</pre>
            </details>
          )}
        </section>
        <Annotations annotations={alert.annotations ?? {}} />
        <Links links={alert.links ?? {}} />
        <Notifications alert={alert} />
        <Labels labels={alert.labels ?? {}} />
        <History id={id} version={alert.version} />
        <Facts alert={alert} />
      </div>
    </>
  );
}

/** The name, cut where it is very long, with a way to see it whole. */
function Name({ name }: { name: string }) {
  const [whole, setWhole] = useState(false);
  return (
    <>
      <h2 dir="auto" data-testid="details-name">
        {whole ? name : cut(name)}
      </h2>
      {name.length > CUT_AT && (
        <button type="button" class="text-button" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? "Less" : "Whole name"}
        </button>
      )}
    </>
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
            <dd dir="auto">{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Links({ links }: { links: Record<string, string> }) {
  const entries = Object.entries(links);
  if (entries.length === 0) return null;
  return (
    <section>
      <h3>Links</h3>
      <ul class="links">
        {entries.map(([title, address]) => {
          const safe = safeLink(address);
          return (
            <li key={title}>
              {safe ? (
                <a href={safe} target="_blank" rel="noopener noreferrer" title={safe} dir="auto">
                  {title}
                </a>
              ) : (
                <span title="Not a web or mail address; not opened">
                  {title}: <code>{address}</code>
                </span>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Labels({ labels }: { labels: Record<string, string> }) {
  const entries = Object.entries(labels);
  if (entries.length === 0) return null;
  return (
    <section>
      <h3>Labels</h3>
      <ul class="labels">
        {entries.map(([name, value]) => (
          <li key={name}>
            <button
              type="button"
              title="Show only alerts with this label"
              onClick={() => narrow(matcherFor(name, value))}
            >
              <span dir="auto">{cut(name)}</span>
              <bdi title={value.length > CUT_AT ? value : undefined}>{cut(value)}</bdi>
            </button>
            <button
              type="button"
              class="exclude"
              aria-label={`Exclude ${cut(name)} ${cut(value)}`}
              title="Show no alerts with this label"
              data-testid={`exclude-label-${name}`}
              onClick={() => narrow(matcherFor(name, value, "!="))}
            >
              <Icon name="exclude" />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Ask for one more matcher in the filter box. */
function narrow(matcher: string): void {
  const choice = state.choice.peek();
  state.choice.value = { ...choice, query: withMatcher(choice.query, matcher) };
}

function Facts({ alert }: { alert: Alert }) {
  const time = (at: string) => <TimeOf at={at} />;
  const { counts } = alert;
  const facts: [string, preact.ComponentChild][] = [
    ["Service", alert.service],
    ["Monitoring system", alert.monitoring_system],
    ["Integration", alert.integration],
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
    ["Id", <code key="id">{alert.fingerprint}</code>],
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
