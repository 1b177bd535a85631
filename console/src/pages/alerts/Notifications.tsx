import { readNotifications } from "../../api";
import { ChannelIcon } from "../../channels";
import { TimeOf } from "../../kit/Age";
import { CopyButton } from "../../kit/Copy";
import { useRead } from "../../kit/useRead";
import type { Alert, LedgerEntry } from "../../protocol";
import { LEDGER_WORDS } from "./words";

/** Who was notified, and how that stands. */
export function Notifications({ alert }: { alert: Alert }) {
  const { fingerprint: id, version, episode } = alert;
  const { value, problem } = useRead((signal) => readNotifications(id, signal), id, version);
  const entries = value?.notifications ?? null;
  return (
    <section data-testid="notifications">
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
    </section>
  );
}

function Sent({ entry, isPast }: { entry: LedgerEntry; isPast: boolean }) {
  const words = LEDGER_WORDS[entry.state] ?? { text: entry.state, tone: "pending" };
  const changed = Date.parse(entry.changed_at) > Date.parse(entry.opened_at);
  return (
    <li data-testid="ledger-entry" data-state={entry.state}>
      <ChannelIcon channel={entry.channel} />
      <div>
        <div class="ledger-line">
          <b dir="auto" title={entry.destination}>
            {entry.destination}
          </b>
          <CopyButton text={entry.destination} label={`Copy ${entry.destination}`} icon="copy" look="small" />
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
