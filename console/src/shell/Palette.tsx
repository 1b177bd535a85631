import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Command, commands, GO } from "../commands";
import { closeDialog, Dialog, openDialog } from "../kit/forms";
import { Icon } from "../kit/Icon";
import { keyWord } from "./HelpDialog";

export function openPalette(): void {
  openDialog(() => <Palette />);
}

/** Every command that can be done here, found by typing a part of its name. */
function Palette() {
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.focus(), []);
  useLayoutEffect(() => {
    document.querySelector(".palette-item[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  });
  const found = matching(commands.value, typed);
  const current = found[Math.min(at, found.length - 1)];
  const choose = (command: Command | undefined) => {
    if (!command) return;
    closeDialog();
    // The focus is back where it was when the command runs.
    setTimeout(command.run);
  };
  return (
    <Dialog title="Commands" testId="palette" onClose={closeDialog}>
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label="Find a command"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={current ? `palette-${current.id}` : undefined}
        autocomplete="off"
        placeholder="Find a command or a page"
        data-testid="palette-input"
        onInput={(event) => {
          setTyped(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (by !== undefined) {
            event.preventDefault();
            setAt((at + by + found.length) % Math.max(1, found.length));
          } else if (event.key === "Enter") {
            event.preventDefault();
            choose(current);
          }
        }}
      />
      <div id="palette-list" class="palette-list" role="listbox" aria-label="Commands">
        {found.map((command) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: Enter in the box does the same.
          <div
            key={command.id}
            id={`palette-${command.id}`}
            class="palette-item"
            role="option"
            tabIndex={-1}
            aria-selected={command === current}
            onClick={() => choose(command)}
          >
            {command.icon ? <Icon name={command.icon} /> : <span class="icon" />}
            <span class="facet-word">{command.title}</span>
            <small class="quiet">{command.group}</small>
            {command.keys?.[0] && <kbd>{keyWord(command.keys[0])}</kbd>}
          </div>
        ))}
      </div>
      {found.length === 0 && <p>No command has “{typed}” in its name.</p>}
    </Dialog>
  );
}

/** The commands that have all the words that were typed, those first whose title begins with them; pages before others. */
function matching(table: readonly Command[], typed: string): Command[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const can = table.filter((command) => !command.onlyKey && command.available?.() !== false);
  const text = (command: Command) => `${command.title} ${command.group}`.toLowerCase();
  const pagesFirst = [...can.filter((command) => command.group === GO), ...can.filter((one) => one.group !== GO)];
  const found = pagesFirst.filter((command) => words.every((word) => text(command).includes(word)));
  const begins = (command: Command) => command.title.toLowerCase().startsWith(typed.trim().toLowerCase());
  return [...found.filter(begins), ...found.filter((command) => !begins(command))];
}
