import { useEffect, useState } from "preact/hooks";
import { ApiError, readHistory } from "../../api";
import { useRead } from "../../kit/useRead";
import type { HistoryEntry } from "../../protocol";
import { HistoryLine } from "./HistoryLine";
import * as state from "./store";
import { isOfPeople } from "./words";

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
      <div class="tab-tools">
        <label class="check">
          <input
            type="checkbox"
            checked={onlyPeople}
            onChange={(event) => setOnlyPeople(event.currentTarget.checked)}
          />
          Only what people did
        </label>
      </div>
      {(problem ?? older.problem) && <p class="problem">{problem ?? older.problem}</p>}
      {value && shown.length === 0 && <p class="quiet">Nothing.</p>}
      <ol class="history">
        {shown.map((entry) => (
          <HistoryLine key={entry.sequence} entry={entry} />
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
