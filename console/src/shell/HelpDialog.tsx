import { type Command, commands } from "../commands";
import { closeDialog, Dialog, DialogHead, openDialog } from "../kit/forms";
import { lettersOn } from "../session";

export function openHelp(): void {
  openDialog(() => <HelpDialog />);
}

/** The keys of the page that is open, from the table of commands, and how the list behaves. */
function HelpDialog() {
  const withKeys = commands.value.filter((command) => command.keys?.length);
  const groups = [...new Set(withKeys.map((command) => command.group))];
  return (
    <Dialog title="Help and keys" testId="help" wide onClose={closeDialog}>
      <DialogHead title="Keys" onClose={closeDialog} />
      <p>Letters act while the list has the focus, or the details of the alert they are about.</p>
      {groups.map((group) => (
        <section key={group}>
          <h3>{group}</h3>
          <dl class="keys">
            {withKeys
              .filter((command) => command.group === group)
              .map((command) => (
                <Keys key={command.id} command={command} />
              ))}
          </dl>
        </section>
      ))}
      <label class="check">
        <input
          type="checkbox"
          checked={lettersOn.value}
          onChange={(event) => {
            lettersOn.value = event.currentTarget.checked;
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
        counter, changed ones change in place, and those that no longer belong to the list turn grey. After a minute
        without any input nothing is held.
      </p>
    </Dialog>
  );
}

function Keys({ command }: { command: Command }) {
  return (
    <div>
      <dt>
        {command.keys?.map((key) => (
          <kbd key={key}>{keyWord(key)}</kbd>
        ))}
      </dt>
      <dd>{command.title}</dd>
    </div>
  );
}

/** How a key is shown. */
export function keyWord(key: string): string {
  const words: Record<string, string> = { ArrowDown: "↓", ArrowUp: "↑", " ": "Space", Escape: "Esc" };
  return key
    .split("+")
    .map((part) => words[part] ?? part)
    .join(" ");
}
