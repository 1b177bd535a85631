import { ChannelIcon } from "../../channels";
import { TimeOf } from "../../kit/Age";
import type { HistoryEntry, Reason, Received } from "../../protocol";
import { matcherFor } from "./filter";
import * as state from "./store";
import { historyTone, historyWord, reasonWord } from "./words";

/** One line of what happened: when, who did it, what, why, and how its event was received. */
export function HistoryLine({ entry }: { entry: HistoryEntry }) {
  const { details, received } = entry;
  const channel = details.what.endpoint?.channel;
  return (
    <li class={`entry-${historyTone(entry.kind)}`} data-testid="history-entry" data-kind={entry.kind}>
      <div class="entry-head">
        <b>{historyWord(entry.kind)}</b>
        {channel && <ChannelIcon channel={channel} />}
        <ActorOf entry={entry} />
        <span class="quiet entry-time">
          <TimeOf at={entry.at} />
        </span>
      </div>
      {entry.message && <p dir="auto">{entry.message}</p>}
      <Reasons reasons={details.reasons ?? []} />
      {received && <ReceivedAs received={received} />}
    </li>
  );
}

function ActorOf({ entry: { actor, details } }: { entry: HistoryEntry }) {
  if (details.actor.type !== "integration")
    return (
      <span class="quiet" dir="auto" title={actor}>
        {actor}
      </span>
    );
  return <FilterText name="integration" value={details.actor.name} text={actor} />;
}

/** The value of a field: a click shows only alerts that have it too. */
function FilterText({ name, value, text = value }: { name: string; value: string; text?: string }) {
  return (
    <button
      type="button"
      class="filter-text"
      dir="auto"
      title={`Show only alerts with ${name}="${value}"`}
      onClick={() => state.narrow(matcherFor(name, value))}
    >
      {text}
    </button>
  );
}

/** The kinds of the reasons; the message has them in words. */
export function Reasons({ reasons }: { reasons: readonly Reason[] }) {
  const shown = reasons.filter((reason) => reason.type !== "comment");
  if (shown.length === 0) return null;
  return (
    <ul class="reasons" aria-label="Reasons">
      {shown.map((reason, index) => (
        <li key={index} data-testid="reason" data-reason={reason.type}>
          {reason.type === "silenced" ? <a href="/silences">{reasonWord(reason)}</a> : reasonWord(reason)}
        </li>
      ))}
    </ul>
  );
}

function ReceivedAs({ received: { source, accepted_at, key, rules = [] } }: { received: Received }) {
  return (
    <p class="received" data-testid="received">
      received from <FilterText name="source" value={source} /> at <TimeOf at={accepted_at} />
      {key !== undefined && (
        <>
          {" "}
          with key <b dir="auto">{key}</b>
        </>
      )}
      {rules.length > 0 && (
        <>
          , changed by {rules.length === 1 ? "rule" : "rules"}{" "}
          {rules.map((rule, index) => (
            <span key={rule}>
              {index > 0 && ", "}
              <b dir="auto">{rule}</b>
            </span>
          ))}
        </>
      )}
    </p>
  );
}
