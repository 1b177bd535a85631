import { useEffect, useState } from "preact/hooks";
import { ApiError, readHistory } from "../../api";
import { TimeOf } from "../../kit/Age";
import { useRead } from "../../kit/useRead";
import type { HistoryEntry } from "../../protocol";
import * as state from "./store";
import { historyTone, historyWord, isOfPeople } from "./words";

/** The time line, newest first. */
export function History({ id, version }: { id: string; version: number }) {
  const { value, problem } = useRead((signal) => readHistory(id, null, signal), id, version);
  const older = useOlder(id);
  const [onlyPeople, setOnlyPeople] = useState(false);
  const newest = value?.entries ?? [];
  const known = new Map([...older.entries, ...newest].map((entry) => [entry.sequence, entry]));
  const entries = [...known.values()].sort((a, b) => b.sequence - a.sequence);
  const shown = onlyPeople ? entries.filter((entry) => isOfPeople(entry.kind, entry.actor)) : entries;
  const next = older.entries.length > 0 ? older.next : (value?.next_cursor ?? null);
  return (
    <section data-testid="history">
      <h3>
        History
        <label class="check">
          <input
            type="checkbox"
            checked={onlyPeople}
            onChange={(event) => setOnlyPeople(event.currentTarget.checked)}
          />
          only what people did
        </label>
      </h3>
      {(problem ?? older.problem) && <p class="problem">{problem ?? older.problem}</p>}
      {value && shown.length === 0 && <p class="quiet">Nothing.</p>}
      <ol class="history">
        {shown.map((entry) => (
          <Entry key={entry.sequence} entry={entry} />
        ))}
      </ol>
      {next !== null && (
        <button type="button" class="button button-quiet" onClick={() => void older.read(next)}>
          Older
        </button>
      )}
    </section>
  );
}

function Entry({ entry }: { entry: HistoryEntry }) {
  return (
    <li class={`entry-${historyTone(entry.kind)}`} data-testid="history-entry" data-kind={entry.kind}>
      <div class="entry-head">
        <b>{historyWord(entry.kind)}</b>
        <span class="quiet">{entry.actor}</span>
        <span class="quiet entry-time">
          <TimeOf at={entry.at} />
        </span>
      </div>
      {entry.message && <p>{entry.message}</p>}
    </li>
  );
}

/** Pages of history before the newest one; they do not change any more. */
function useOlder(id: string) {
  const [pages, setPages] = useState<{ entries: HistoryEntry[]; next: string | null }>({ entries: [], next: null });
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    setPages({ entries: [], next: null });
    setProblem(null);
  }, [id]);
  const read = async (cursor: string) => {
    try {
      const page = await readHistory(id, cursor, new AbortController().signal);
      // An answer for an alert that is no longer looked at is of no use.
      if (state.openedId.peek() !== id) return;
      setPages((before) => ({ entries: [...before.entries, ...page.entries], next: page.next_cursor ?? null }));
      setProblem(null);
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : String(error));
    }
  };
  return { ...pages, problem, read };
}
