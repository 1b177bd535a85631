import { expireSilence, matcherText } from "../../api";
import type { Command } from "../../commands";
import { withAuthor } from "../../identity";
import { Moment } from "../../kit/Age";
import { problemOf } from "../../kit/forms";
import { Icon } from "../../kit/Icon";
import { Page } from "../../kit/Page";
import { useReading } from "../../kit/resource";
import { type Column, Table } from "../../kit/Table";
import { say } from "../../kit/toasts";
import type { Silence } from "../../protocol";
import { openSilenceForm } from "./SilenceForm";
import { silences } from "./store";

const READ_EVERY_MS = 10_000;

const COLUMNS: readonly Column<Silence>[] = [
  { id: "state", title: "State", cell: ({ state }) => <span class={`silence-state silence-${state}`}>{state}</span> },
  {
    id: "matchers",
    title: "Silences",
    cell: ({ matchers }) => (
      <ul class="matchers">
        {matchers.map((matcher) => (
          <li key={matcherText(matcher)}>
            <code dir="auto">{matcherText(matcher)}</code>
          </li>
        ))}
      </ul>
    ),
  },
  {
    id: "time",
    title: "Time",
    cell: ({ state, starts_at, ends_at }) =>
      state === "pending" ? (
        <>
          begins: <Moment at={starts_at} future />
        </>
      ) : (
        <Moment at={ends_at} future={state === "active"} />
      ),
  },
  { id: "by", title: "By", cell: ({ created_by }) => <span dir="auto">{created_by}</span> },
  { id: "comment", title: "Comment", cell: ({ comment }) => <span dir="auto">{comment}</span> },
  {
    id: "tools",
    title: "Actions",
    cell: (silence) => (
      <div class="row-tools">
        <button type="button" class="button" data-testid="edit" onClick={() => edit(silence)}>
          {silence.state === "expired" ? "Again" : "Edit"}
        </button>
        {silence.state !== "expired" && (
          <button type="button" class="button" data-testid="expire" onClick={() => void expire(silence)}>
            Expire
          </button>
        )}
      </div>
    ),
  },
];

const COMMANDS: readonly Command[] = [
  {
    id: "new-silence",
    title: "New silence",
    group: "Silences",
    icon: "plus",
    run: () => create(),
  },
];

/** The silences: made, changed and ended here. */
export default function Silences() {
  useReading(silences, READ_EVERY_MS);
  const rows = silences.value.value;
  return (
    <Page
      title="Silences"
      commands={COMMANDS}
      problem={silences.problem.value}
      tools={
        <button type="button" class="button button-first" data-testid="new-silence" onClick={create}>
          <Icon name="plus" /> New silence
        </button>
      }
    >
      {rows?.length === 0 && (
        <p class="empty">
          No silence is active, and none has ended within five days. Make one here, or from an alert with <kbd>m</kbd>.
        </p>
      )}
      {rows && rows.length > 0 && <Table label="Silences" columns={COLUMNS} rows={rows} testId="silences" />}
    </Page>
  );
}

function create(): void {
  withAuthor(() => openSilenceForm({ matchers: [] }));
}

/** A silence that is over cannot be changed: another one like it is made. */
function edit({ id, state, matchers, ends_at, starts_at, comment }: Silence): void {
  const isOver = state === "expired";
  withAuthor(() =>
    openSilenceForm({ matchers, comment, ...(isOver ? {} : { id, endsAt: ends_at, startsAt: starts_at }) }),
  );
}

async function expire({ id }: Silence): Promise<void> {
  try {
    await expireSilence(id);
    say({ text: "The silence has ended.", failed: false });
  } catch (error) {
    say({ text: `Not ended: ${problemOf(error)}`, failed: true });
  }
  await silences.read();
}
