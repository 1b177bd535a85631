import { useState } from "preact/hooks";
import { checkTypedCount, closeDialog, FormDialog, TYPED_COUNT_ABOVE, TypedCount } from "../../kit/forms";
import { cut } from "../../kit/text";
import { wordDuration } from "../../kit/time";
import { fromInput, inputLabel, minuteText, toInput } from "../../kit/zone";
import type { ActionFields } from "../../protocol";
import { author, clock, clockOffset, serverNow } from "../../session";
import { type Call, countAlerts } from "./actions";
import { assigneeOf } from "./columns";
import * as state from "./store";
import { VERBS, type Verb } from "./verbs";

const MINUTE = 60_000;
/** Characters of a name or an object where several stand together. */
const NAMED_LENGTH = 60;

/** Asks for what an action needs to know. */
export function ActionDialog(properties: { verb: Verb; ids: string[]; attempt: (call: Call) => Promise<void> }) {
  const { verb, ids, attempt } = properties;
  const spec = VERBS[verb];
  const [minutes, setMinutes] = useState<number | null>(spec.time?.chosen ?? null);
  const [custom, setCustom] = useState(() => toInput(Date.now() + 60 * MINUTE));
  const [endless, setEndless] = useState(spec.time?.chosen === null);
  const [sticky, setSticky] = useState({ severity: false, output: false });
  const [assignee, setAssignee] = useState(verb === "handle" ? (author.peek() ?? "") : "");
  const [comment, setComment] = useState("");
  const [typed, setTyped] = useState("");
  const isMany = ids.length > TYPED_COUNT_ABOVE;

  const end = () => (minutes === null ? fromInput(custom) + clockOffset.peek() : serverNow() + minutes * MINUTE);
  const fields = (): ActionFields => ({
    ...(spec.time && !endless ? { until: new Date(checkedEnd(end())).toISOString() } : {}),
    ...(spec.sticky ? { sticky_severity: sticky.severity, sticky_output: sticky.output } : {}),
    ...(spec.person ? { assignee: assignee.trim() } : {}),
    ...(comment.trim() ? { comment: comment.trim() } : {}),
  });

  return (
    <FormDialog
      title={`${verb === "comment" ? "Comment on" : spec.title} ${countAlerts(ids.length)}`}
      submit={spec.title}
      testId={`${verb}-dialog`}
      onClose={closeDialog}
      onSubmit={async () => {
        checkTypedCount(ids.length, typed);
        await attempt({ verb, alerts: ids, fields: fields() });
        closeDialog();
      }}
    >
      <p class="dialog-which" dir="auto">
        {which(ids)}
      </p>
      {isMany && <TypedCount count={ids.length} onInput={setTyped} />}
      {spec.person && (
        <label class="field">
          {spec.person}
          <input
            type="text"
            name="assignee"
            list="people"
            required
            pattern=".*\S.*"
            maxLength={100}
            autofocus={!isMany && spec.time?.chosen === null}
            dir="auto"
            value={assignee}
            onInput={(event) => setAssignee(event.currentTarget.value)}
          />
          <People />
        </label>
      )}
      {spec.time && (
        <fieldset class="field">
          <legend>{spec.time.legend}</legend>
          <div class="choices">
            {spec.time.chosen === null && (
              <Choice word="no end" chosen={endless} onChoose={() => setEndless(true)} focus={false} />
            )}
            {spec.time.minutes.map((choice) => (
              <Choice
                key={choice}
                word={wordDuration(choice * MINUTE)}
                chosen={!endless && minutes === choice}
                focus={!isMany && choice === spec.time?.chosen}
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
              aria-label={inputLabel()}
              required
              value={custom}
              min={toInput(Date.now())}
              onInput={(event) => setCustom(event.currentTarget.value)}
            />
          )}
          {!endless && <Until end={end()} />}
        </fieldset>
      )}
      {spec.sticky && (
        <fieldset class="field">
          <legend>Stay snoozed when</legend>
          {(["severity", "output"] as const).map((part) => (
            <label key={part} class="check">
              <input
                type="checkbox"
                checked={sticky[part]}
                data-testid={`sticky-${part}`}
                onChange={(event) => setSticky({ ...sticky, [part]: event.currentTarget.checked })}
              />
              the {part} changes
            </label>
          ))}
        </fieldset>
      )}
      {spec.comment !== "none" && (
        <label class="field">
          {spec.comment === "required" ? "Comment" : "Comment, if any"}
          <textarea
            name="comment"
            rows={spec.comment === "required" ? 4 : 2}
            maxLength={2000}
            required={spec.comment === "required"}
            autofocus={!isMany && !spec.time}
            dir="auto"
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
  const now = clock.value;
  return (
    <p class="quiet">
      {end <= now ? "That is over already." : `Until ${minuteText(end)}, in ${wordDuration(end - now + 999)}.`}
    </p>
  );
}

function checkedEnd(end: number): number {
  if (Number.isNaN(end)) throw new RangeError("Choose until when.");
  if (end <= serverNow()) throw new RangeError("The end has to be in the future.");
  return end;
}

/** The first alerts by name, so that the reader sees what the action is about. */
function which(ids: string[]): string {
  const names = ids.slice(0, 3).flatMap((id) => {
    const alert = state.board.rows.get(id)?.alert;
    return alert ? [`${cut(alert.name, NAMED_LENGTH)} on ${cut(alert.object, NAMED_LENGTH)}`] : [];
  });
  const rest = ids.length - names.length;
  if (names.length === 0) return "";
  return names.join(", ") + (rest > 0 ? ` and ${rest.toLocaleString("en")} more` : "");
}

/** Names that were seen, oneself first. */
function People() {
  const names = new Set<string>();
  const own = author.peek();
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
