import { useEffect, useState } from "preact/hooks";
import { expireSilence, putSilence, readMatching } from "../../api";
import { closeDialog, FormDialog, openDialog, problemOf } from "../../kit/forms";
import { Icon } from "../../kit/Icon";
import { IconButton } from "../../kit/IconButton";
import { cut } from "../../kit/text";
import { wordDuration } from "../../kit/time";
import { say } from "../../kit/toasts";
import { fromInput, inputLabel, timeText, toInput } from "../../kit/zone";
import { type Alert, MATCH_OPERATORS, type Matcher } from "../../protocol";
import { author, clockOffset, serverNow } from "../../session";
import { FIELDS } from "../alerts/matchers";
import { silences } from "./store";

const MINUTE = 60_000;
const DURATIONS_MINUTES: readonly number[] = [60, 120, 240, 480, 1440];
const USUAL_MINUTES = 120;
/** The preview follows what is typed after so long. */
const TYPING_MS = 300;
/** So many matching alerts are counted, and so many named. */
const COUNTED_MOST = 500;
const NAMED_MOST = 8;

/** What the form begins with. */
export interface SilenceDraft {
  /** Changes this silence. */
  id?: string;
  matchers: readonly Matcher[];
  startsAt?: string;
  endsAt?: string;
  comment?: string;
  /** Names of labels to offer. */
  labels?: readonly string[];
}

export function openSilenceForm(draft: SilenceDraft): void {
  openDialog(() => <SilenceForm key="silence" draft={draft} />);
}

/** Makes or changes a silence, and shows which open alerts its matchers match now. */
function SilenceForm({ draft }: { draft: SilenceDraft }) {
  const [matchers, setMatchers] = useState<readonly Matcher[]>(
    draft.matchers.length > 0 ? draft.matchers : [{ name: "alertname", operator: "=", value: "" }],
  );
  const [minutes, setMinutes] = useState<number | null>(draft.endsAt ? null : USUAL_MINUTES);
  const [until, setUntil] = useState(() =>
    toInput(draft.endsAt ? Date.parse(draft.endsAt) : Date.now() + USUAL_MINUTES * MINUTE),
  );
  const [comment, setComment] = useState(draft.comment ?? "");
  const complete = matchers.filter((matcher) => matcher.name.trim() !== "");
  const end = () => (minutes === null ? fromInput(until) + clockOffset.peek() : serverNow() + minutes * MINUTE);
  const change = (index: number, part: Partial<Matcher>) =>
    setMatchers(matchers.map((matcher, at) => (at === index ? { ...matcher, ...part } : matcher)));

  const submit = async () => {
    if (complete.length === 0) throw new RangeError("Give at least one matcher.");
    if (Number.isNaN(end()) || end() <= serverNow()) throw new RangeError("The end has to be in the future.");
    const made = await putSilence({
      ...(draft.id ? { id: draft.id } : {}),
      ...(draft.startsAt ? { starts_at: draft.startsAt } : {}),
      matchers: complete,
      ends_at: new Date(end()).toISOString(),
      created_by: author.peek() ?? "",
      comment: comment.trim(),
    });
    closeDialog();
    void silences.read();
    const text = `Silenced until ${timeText(Date.parse(made.ends_at))}`;
    say({ text, failed: false, action: { label: "Undo", run: () => void endAgain(made.id) } });
  };

  return (
    <FormDialog
      title={draft.id ? "Edit the silence" : "New silence"}
      submit={draft.id ? "Change" : "Silence"}
      testId="silence-form"
      wide
      onClose={closeDialog}
      onSubmit={submit}
    >
      <fieldset class="field">
        <legend>Alerts that match all of these</legend>
        {matchers.map((matcher, index) => (
          <MatcherLine
            key={index}
            matcher={matcher}
            onChange={(part) => change(index, part)}
            onRemove={matchers.length > 1 ? () => setMatchers(matchers.filter((_, at) => at !== index)) : null}
          />
        ))}
        <button
          type="button"
          class="button button-quiet"
          data-testid="add-matcher"
          onClick={() => setMatchers([...matchers, { name: "", operator: "=", value: "" }])}
        >
          <Icon name="plus" /> Add a matcher
        </button>
        <datalist id="matcher-names">
          {[...new Set([...Object.keys(FIELDS), ...(draft.labels ?? [])])].map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </fieldset>
      <Preview matchers={complete} />
      <fieldset class="field">
        <legend>For</legend>
        <div class="choices">
          {DURATIONS_MINUTES.map((choice) => (
            <label key={choice} class={`choice ${minutes === choice ? "choice-chosen" : ""}`}>
              <input type="radio" name="time" checked={minutes === choice} onChange={() => setMinutes(choice)} />
              {wordDuration(choice * MINUTE)}
            </label>
          ))}
          <label class={`choice ${minutes === null ? "choice-chosen" : ""}`}>
            <input type="radio" name="time" checked={minutes === null} onChange={() => setMinutes(null)} />
            until…
          </label>
        </div>
        {minutes === null && (
          <input
            type="datetime-local"
            aria-label={inputLabel()}
            required
            value={until}
            onInput={(event) => setUntil(event.currentTarget.value)}
          />
        )}
      </fieldset>
      <label class="field">
        Why
        <textarea
          name="comment"
          rows={2}
          required
          maxLength={10_000}
          dir="auto"
          autofocus
          value={comment}
          onInput={(event) => setComment(event.currentTarget.value)}
        />
      </label>
    </FormDialog>
  );
}

function MatcherLine(properties: {
  matcher: Matcher;
  onChange: (part: Partial<Matcher>) => void;
  onRemove: (() => void) | null;
}) {
  const { matcher, onChange, onRemove } = properties;
  return (
    <div class="matcher-line" data-testid="matcher">
      <input
        type="text"
        list="matcher-names"
        aria-label="Label or field"
        value={matcher.name}
        onInput={(event) => onChange({ name: event.currentTarget.value.trim() })}
      />
      <select
        aria-label="How it is compared"
        value={matcher.operator}
        onChange={(event) => onChange({ operator: event.currentTarget.value as Matcher["operator"] })}
      >
        {MATCH_OPERATORS.map((operator) => (
          <option key={operator} value={operator}>
            {operator}
          </option>
        ))}
      </select>
      <input
        type="text"
        aria-label="Value"
        dir="auto"
        value={matcher.value}
        onInput={(event) => onChange({ value: event.currentTarget.value })}
      />
      {onRemove && <IconButton icon="close" label="Remove the matcher" onClick={onRemove} />}
    </div>
  );
}

/** The open alerts that the matchers match now, as the server decides it. */
function Preview({ matchers }: { matchers: readonly Matcher[] }) {
  const [found, setFound] = useState<{ alerts: Alert[]; more: boolean } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const asked = JSON.stringify(matchers);
  useEffect(() => {
    setProblem(null);
    if (matchers.length === 0) {
      setFound(null);
      return;
    }
    const request = new AbortController();
    const timer = setTimeout(() => {
      readMatching(matchers, COUNTED_MOST, request.signal).then(setFound, (error: unknown) => {
        if (request.signal.aborted) return;
        setFound(null);
        setProblem(problemOf(error));
      });
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      request.abort();
    };
  }, [asked]);
  return (
    <div class="preview" role="status" data-testid="preview">
      {problem && <p class="problem">{problem}</p>}
      {found && (
        <p>
          Matches <b>{countText(found)}</b> now{found.alerts.length > 0 ? ":" : "."}
        </p>
      )}
      <ul>
        {found?.alerts.slice(0, NAMED_MOST).map((alert) => (
          <li key={alert.fingerprint} dir="auto">
            {cut(alert.name)} · {cut(alert.object)} · {alert.environment}
          </li>
        ))}
      </ul>
    </div>
  );
}

function countText({ alerts, more }: { alerts: Alert[]; more: boolean }): string {
  const count = alerts.length.toLocaleString("en");
  return `${more ? "more than " : ""}${count} open ${alerts.length === 1 ? "alert" : "alerts"}`;
}

async function endAgain(id: string): Promise<void> {
  try {
    await expireSilence(id);
    say({ text: "The silence has ended.", failed: false });
  } catch (error) {
    say({ text: `Not ended: ${problemOf(error)}`, failed: true });
  }
  void silences.read();
}
