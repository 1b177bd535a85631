import { readNotifications } from "../api";
import type { LedgerEntry } from "../protocol";
import * as state from "../state";
import { wordTime, wordWholeTime } from "../time";
import { Icon } from "./Icon";
import { useRead } from "./useRead";
import { CHANNEL_ICONS, LEDGER_WORDS } from "./words";

/** Who was told, when, and how it stands. */
export function Notifications({ id, version, episode }: { id: string; version: number; episode: number }) {
  const { value, problem } = useRead((signal) => readNotifications(id, signal), id, version);
  return (
    <section data-testid="notifications">
      <h3>Who was told</h3>
      {problem && <p class="problem">{problem}</p>}
      {value?.notifications.length === 0 && <p class="quiet">Nobody. The history says whether somebody was to be.</p>}
      <ul class="ledger">
        {value?.notifications.map((entry) => (
          <Told
            key={`${entry.episode} ${entry.channel} ${entry.destination}`}
            entry={entry}
            isPast={entry.episode !== episode}
          />
        ))}
      </ul>
    </section>
  );
}

function Told({ entry, isPast }: { entry: LedgerEntry; isPast: boolean }) {
  const words = LEDGER_WORDS[entry.state] ?? { text: entry.state, tone: "pending" };
  const changed = Date.parse(entry.changed_at) > Date.parse(entry.opened_at);
  return (
    <li data-testid="ledger-entry" data-state={entry.state}>
      <Icon name={CHANNEL_ICONS[entry.channel] ?? "webhook"} />
      <div>
        <div class="ledger-line">
          <b title={entry.destination}>{entry.destination}</b>
          <span class={`tone tone-${words.tone}`}>{words.text}</span>
        </div>
        <ul class="quiet ledger-facts">
          <li>
            {entry.channel}
            {entry.bot && ` by ${entry.bot}`}
          </li>
          <li>
            <Time at={entry.opened_at} />
          </li>
          {changed && (
            <li>
              last change <Time at={entry.changed_at} />
            </li>
          )}
          <li>{entry.sequence === 1 ? "1 message" : `${entry.sequence} messages`}</li>
          {isPast && <li>episode {entry.episode}</li>}
        </ul>
        {entry.error && <div class="problem">{entry.error}</div>}
      </div>
    </li>
  );
}

function Time({ at }: { at: string }) {
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={wordWholeTime(time)}>
      {wordTime(time, state.serverNow())}
    </time>
  );
}
