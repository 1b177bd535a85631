import { useEffect, useState } from "preact/hooks";
import { ApiError, readAlert } from "../../api";
import { Age, Moment } from "../../kit/Age";
import { CopyButton } from "../../kit/Copy";
import { useFocusInside } from "../../kit/focus";
import { Icon } from "../../kit/Icon";
import { IconButton } from "../../kit/IconButton";
import { safeLink } from "../../kit/safe-link";
import { Tabs } from "../../kit/Tabs";
import { CUT_AT, cut } from "../../kit/text";
import type { Alert } from "../../protocol";
import { BadgeMark } from "./AlertRow";
import { History } from "./History";
import { Journey } from "./Journey";
import { Labels } from "./Labels";
import { Notifications } from "./Notifications";
import { beginAction, takeBack } from "./operate";
import { Raw } from "./Raw";
import { States } from "./States";
import { silenceTargets } from "./silence";
import * as state from "./store";
import { TABS, type Tab } from "./tabs";
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
          <h3>
            Output
            <CopyButton text={alert.output} label="Copy the output" icon="copy" look="small" />
          </h3>
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
        <Links links={alert.links ?? {}} />
        <Tabs
          label="Parts of the details"
          tabs={TABS}
          chosen={state.tab.value}
          onChoose={(tab) => {
            state.tab.value = tab;
          }}
        >
          <TabContent tab={state.tab.value} alert={alert} />
        </Tabs>
      </div>
    </>
  );
}

function TabContent({ tab, alert }: { tab: Tab; alert: Alert }) {
  switch (tab) {
    case "journey":
      return <Journey alert={alert} />;
    case "history":
      return <History id={alert.fingerprint} version={alert.version} />;
    case "notifications":
      return <Notifications alert={alert} />;
    case "labels":
      return <Labels alert={alert} />;
    case "raw":
      return <Raw alert={alert} />;
  }
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
