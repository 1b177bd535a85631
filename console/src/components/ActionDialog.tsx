import { useMemo, useState } from "preact/hooks";
import { countAlerts, type Verb } from "../actions";
import { assigneeOf } from "../columns";
import { attempts } from "../operate";
import type { ActionFields } from "../protocol";
import * as state from "../state";
import { toLocalInput, wordDuration, wordTime } from "../time";
import { closeDialog, FormDialog } from "./Dialogs";

const MINUTE = 60_000;

const WORDS: Record<Verb, string> = {
  acknowledge: "Acknowledge",
  snooze: "Snooze",
  handle: "Handle",
  assign: "Assign",
  comment: "Comment on",
  resolve: "Resolve",
};

const CHOICES: Partial<Record<Verb, readonly number[]>> = {
  snooze: [10, 30, 60, 240, 480],
  handle: [30, 60, 120, 240, 480],
};

/** Asks for what an action needs to know. */
export function ActionDialog({ verb, ids }: { verb: Verb; ids: string[] }) {
  const [minutes, setMinutes] = useState<number | null>(verb === "assign" ? null : (CHOICES[verb]?.[1] ?? null));
  const [custom, setCustom] = useState(() => toLocalInput(Date.now() + 60 * MINUTE));
  const [endless, setEndless] = useState(verb === "assign");
  const [sticky, setSticky] = useState({ severity: false, output: false });
  const [assignee, setAssignee] = useState(verb === "handle" ? (state.author.peek() ?? "") : "");
  const [comment, setComment] = useState("");
  const attempt = useMemo(attempts, []);

  const needsTime = verb === "snooze" || verb === "handle" || verb === "assign";
  const end = () =>
    minutes === null ? Date.parse(custom) + state.clockOffset.peek() : state.serverNow() + minutes * MINUTE;
  const fields = (): ActionFields => ({
    ...(needsTime && !endless ? { until: new Date(checkedEnd(end())).toISOString() } : {}),
    ...(verb === "snooze" ? { sticky_severity: sticky.severity, sticky_output: sticky.output } : {}),
    ...(verb === "handle" || verb === "assign" ? { assignee: assignee.trim() } : {}),
    ...(verb !== "handle" && comment.trim() ? { comment: comment.trim() } : {}),
  });

  return (
    <FormDialog
      title={`${WORDS[verb]} ${countAlerts(ids.length)}`}
      submit={verb === "comment" ? "Comment" : WORDS[verb]}
      testId={`${verb}-dialog`}
      onClose={closeDialog}
      onSubmit={async () => {
        await attempt({ verb, alerts: ids, fields: fields() });
        closeDialog();
      }}
    >
      <p class="dialog-which">{which(ids)}</p>
      {(verb === "handle" || verb === "assign") && (
        <label class="field">
          {verb === "handle" ? "Who works on it" : "To whom"}
          <input
            type="text"
            name="assignee"
            list="people"
            required
            pattern=".*\S.*"
            maxLength={100}
            autofocus={verb === "assign"}
            value={assignee}
            onInput={(event) => setAssignee(event.currentTarget.value)}
          />
          <People />
        </label>
      )}
      {needsTime && (
        <fieldset class="field">
          <legend>{verb === "snooze" ? "Hide for" : "For"}</legend>
          <div class="choices">
            {verb === "assign" && (
              <Choice word="no end" chosen={endless} onChoose={() => setEndless(true)} focus={false} />
            )}
            {(CHOICES[verb] ?? [240, 480, 1440]).map((choice, index) => (
              <Choice
                key={choice}
                word={wordDuration(choice * MINUTE)}
                chosen={!endless && minutes === choice}
                focus={verb !== "assign" && index === 1}
                onChoose={() => {
                  setEndless(false);
                  setMinutes(choice);
                }}
              />
            ))}
            <Choice
              word="until…"
              chosen={!endless && minutes === null}
              focus={false}
              onChoose={() => {
                setEndless(false);
                setMinutes(null);
              }}
            />
          </div>
          {!endless && minutes === null && (
            <input
              type="datetime-local"
              aria-label="Until"
              required
              value={custom}
              min={toLocalInput(Date.now())}
              onInput={(event) => setCustom(event.currentTarget.value)}
            />
          )}
          {!endless && <Until end={end()} />}
        </fieldset>
      )}
      {verb === "snooze" && (
        <fieldset class="field">
          <legend>Stay snoozed when</legend>
          <label class="check">
            <input
              type="checkbox"
              checked={sticky.severity}
              data-testid="sticky-severity"
              onChange={(event) => setSticky({ ...sticky, severity: event.currentTarget.checked })}
            />
            the severity changes
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={sticky.output}
              data-testid="sticky-output"
              onChange={(event) => setSticky({ ...sticky, output: event.currentTarget.checked })}
            />
            the output changes
          </label>
        </fieldset>
      )}
      {verb !== "handle" && (
        <label class="field">
          {verb === "comment" ? "Comment" : "Comment, if any"}
          <textarea
            name="comment"
            rows={verb === "comment" ? 4 : 2}
            maxLength={2000}
            required={verb === "comment"}
            autofocus={verb === "comment" || verb === "resolve" || verb === "acknowledge"}
            value={comment}
            onInput={(event) => setComment(event.currentTarget.value)}
            onKeyDown={submitOnEnter}
          />
        </label>
      )}
    </FormDialog>
  );
}

/** Enter sends; with the shift key it begins a new line. */
function submitOnEnter(event: KeyboardEvent): void {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  (event.currentTarget as HTMLTextAreaElement).form?.requestSubmit();
}

function Choice(properties: { word: string; chosen: boolean; focus: boolean; onChoose: () => void }) {
  const { word, chosen, focus, onChoose } = properties;
  return (
    <label class={`choice ${chosen ? "choice-chosen" : ""}`}>
      <input type="radio" name="time" checked={chosen} autofocus={focus} onChange={onChoose} />
      {word}
    </label>
  );
}

function Until({ end }: { end: number }) {
  if (Number.isNaN(end)) return null;
  const now = state.clock.value;
  return (
    <p class="quiet">
      {end <= now
        ? "That is over already."
        : `Until ${wordTime(end, now).replace(/:\d\d$/, "")}, in ${wordDuration(end - now + 999)}.`}
    </p>
  );
}

function checkedEnd(end: number): number {
  if (Number.isNaN(end)) throw new RangeError("Choose until when.");
  if (end <= state.serverNow()) throw new RangeError("The end has to be in the future.");
  return end;
}

/** The first alerts by name, so that nobody acts on the wrong ones. */
function which(ids: string[]): string {
  const names = ids.slice(0, 3).flatMap((id) => {
    const alert = state.board.rows.get(id)?.alert;
    return alert ? [`${alert.name} on ${alert.object}`] : [];
  });
  const rest = ids.length - names.length;
  if (names.length === 0) return "";
  return names.join(", ") + (rest > 0 ? ` and ${rest.toLocaleString("en")} more` : "");
}

/** Names that were seen, oneself first. */
function People() {
  const names = new Set<string>();
  const own = state.author.peek();
  if (own) names.add(own);
  for (const row of state.board.rows.values()) if (assigneeOf(row.alert)) names.add(assigneeOf(row.alert));
  return (
    <datalist id="people">
      {[...names].slice(0, 50).map((name) => (
        <option key={name} value={name} />
      ))}
    </datalist>
  );
}
