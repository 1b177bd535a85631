import { useEffect, useState } from "preact/hooks";
import { readJourney } from "../../api";
import { ChannelIcon } from "../../channels";
import { Moment, TimeOf } from "../../kit/Age";
import { CopyButton } from "../../kit/Copy";
import { useRead } from "../../kit/useRead";
import type { Alert, Upcoming } from "../../protocol";
import { clock } from "../../session";
import { site } from "../../site";
import { HistoryLine, Reasons } from "./HistoryLine";
import { journeyText } from "./journey-text";
import * as state from "./store";
import { EXPECTED_WORDS } from "./words";

/** So many past lines are shown at first: the newest, as what is next stands below them. */
const SHOWN_AT_FIRST = 25;

/** What happened to an alert and what is still to come, in the order of time. */
export function Journey({ alert }: { alert: Alert }) {
  const { fingerprint: id, version } = alert;
  const { value, problem } = useRead((signal) => readJourney(id, signal), id, version);
  const [wholeOf, setWholeOf] = useState<string | null>(null);
  if (!value) return problem ? <p class="problem">{problem}</p> : <p class="quiet">Reading…</p>;
  const hidden = wholeOf === id ? 0 : Math.max(0, value.past.length - SHOWN_AT_FIRST);
  return (
    <section data-testid="journey">
      <div class="tab-tools">
        {hidden > 0 && (
          <button type="button" class="text-button" data-testid="journey-earlier" onClick={() => setWholeOf(id)}>
            {hidden.toLocaleString("en")} earlier {hidden === 1 ? "line" : "lines"}
          </button>
        )}
        {hidden === 0 && value.has_older && (
          <button
            type="button"
            class="text-button"
            onClick={() => {
              state.tab.value = "history";
            }}
          >
            Older lines are in the history
          </button>
        )}
        <span class="space" />
        <CopyButton text={journeyText(value)} label="Copy the journey as text" icon="copy" />
      </div>
      {problem && <p class="problem">{problem}</p>}
      <ol class="history" aria-label="What happened, and what is still to come">
        {value.past.slice(hidden).map((entry) => (
          <HistoryLine key={entry.sequence} entry={entry} />
        ))}
        <li class="now" data-testid="now">
          <span>now</span>
          {value.upcoming.length === 0 && <span class="quiet">nothing is still to come</span>}
        </li>
        {value.upcoming.map((line, index) => (
          <UpcomingLine key={index} line={line} />
        ))}
      </ol>
      <NoSteps alert={alert} />
    </section>
  );
}

function UpcomingLine({ line: { at, message, details } }: { line: Upcoming }) {
  const reasons = details.type === "step" ? (details.reasons ?? []) : [];
  const endpoints = details.type === "step" ? details.endpoints : details.type === "retry" ? [details.endpoint] : [];
  return (
    <li class="entry-upcoming" data-testid="upcoming" data-type={details.type}>
      <div class="entry-head">
        <b>{details.type === "step" ? `Step ${details.number}` : EXPECTED_WORDS[details.type]}</b>
        {endpoints.map((endpoint, index) => (
          <ChannelIcon key={index} channel={endpoint.channel} />
        ))}
        <span class="quiet entry-time">{at === undefined ? "no time yet" : <Due at={at} />}</span>
      </div>
      <p dir="auto">{message}</p>
      <Reasons reasons={reasons} />
    </li>
  );
}

/** When something is due: its time, and how long it is until then. */
function Due({ at }: { at: string }) {
  if (Date.parse(at) <= clock.value) return <>due now</>;
  return (
    <>
      due <TimeOf at={at} />, <Moment at={at} future />
    </>
  );
}

/** Says of an open alert that its scenario notifies no one. One that the site does not have is among what is to come. */
function NoSteps({ alert: { status, scenario: name } }: { alert: Alert }) {
  useEffect(() => void site.read(), [name]);
  const scenario = site.value.value?.scenarios.find((known) => known.name === name);
  if (status === "closed" || scenario === undefined || scenario.steps.length > 0) return null;
  return (
    <p class="problem" data-testid="no-steps">
      The scenario {name} has no steps: no one is notified.
    </p>
  );
}
