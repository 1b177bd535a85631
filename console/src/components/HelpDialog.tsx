import * as state from "../state";
import { closeDialog, useModal } from "./Dialogs";
import { Icon } from "./Icon";

const KEYS: readonly [string[], string][] = [
  [["j", "k", "↓", "↑"], "next, previous alert"],
  [["Enter"], "open the details"],
  [["Esc"], "close, clear the selection"],
  [["x", "Space"], "select; with Shift and an arrow a range"],
  [["Ctrl A"], "select all that are shown"],
  [["a"], "acknowledge; Shift+A with a comment"],
  [["s"], "snooze"],
  [["h"], "handle"],
  [["g"], "assign"],
  [["c"], "comment"],
  [["r"], "resolve"],
  [["u"], "undo the last action"],
  [["n"], "show the new ones that wait"],
  [["/"], "filter"],
  [["?"], "this help"],
];

export function HelpDialog() {
  const dialog = useModal();
  return (
    <dialog
      ref={dialog}
      class="dialog dialog-wide"
      aria-label="Help and keys"
      data-testid="help"
      onCancel={(event) => {
        event.preventDefault();
        closeDialog();
      }}
    >
      <h2>
        Keys
        <span class="space" />
        <button type="button" class="icon-button" aria-label="Close" onClick={closeDialog}>
          <Icon name="close" />
        </button>
      </h2>
      <dl class="keys">
        {KEYS.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={state.lettersOn.value}
          onChange={(event) => {
            state.lettersOn.value = event.currentTarget.checked;
          }}
        />
        Single letters do something
      </label>
      <h2>Filter</h2>
      <p>
        Words are looked for in name, object, output, source and the values of labels. <code>team="pay"</code>,{" "}
        <code>env!=dev</code>, <code>host=~"web-.*"</code> and <code>job!~"x|y"</code> ask for labels. The names{" "}
        <code>alertname</code>, <code>object</code>, <code>source</code>, <code>service</code>, <code>integration</code>
        , <code>monitoring_system</code>, <code>environment</code> and <code>severity</code> mean the alert's own
        fields. The address of the page holds the filter, so it can be shared.
      </p>
      <h2>Rows keep still</h2>
      <p>
        While the pointer is over the table, or something is selected or open, no row moves: new alerts wait behind the
        counter, changed ones change in place, and those that have ended turn grey. A pointer that rests for a minute
        holds nothing.
      </p>
    </dialog>
  );
}
