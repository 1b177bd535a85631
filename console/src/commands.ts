/**
 * What can be done by key, by the palette and by menus: one table, to which the page that is open adds its own. The keyboard
 * help is made of it too.
 */
import { computed, signal } from "@preact/signals";
import { dialog } from "./kit/forms";
import type { IconName } from "./kit/Icon";
import { lettersOn, needsToken } from "./session";

/** The group of the commands that lead to pages. */
export const GO = "Go to";

export interface Command {
  id: string;
  title: string;
  group: string;
  icon?: IconName;
  /** As {@link keyName} writes them; the first is shown. */
  keys?: readonly string[];
  /**
   * Where the focus has to be for its keys: in the page's list (or what belongs to it), there or nowhere, or anywhere but in
   * a box that is typed into.
   */
  scope?: "list" | "free" | "page";
  /** Not in the palette: of use by its key only. */
  onlyKey?: boolean;
  /** Whether it can be done now. */
  available?: () => boolean;
  run: () => void;
}

const shellCommands = signal<readonly Command[]>([]);
const pageCommands = signal<readonly Command[]>([]);

export const commands = computed(() => [...pageCommands.value, ...shellCommands.value]);

/** The commands that are there on every page. */
export function setShellCommands(table: readonly Command[]): void {
  shellCommands.value = table;
}

/** The commands of the page that is open; answers how to take them away. */
export function addPageCommands(table: readonly Command[]): () => void {
  pageCommands.value = table;
  return () => {
    if (pageCommands.peek() === table) pageCommands.value = [];
  };
}

export interface Key {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** What a key is called in the table: `a`, `A`, `Shift+ArrowDown`, `Ctrl+K` (also for the command key). */
export function keyName({ key, shiftKey, ctrlKey, metaKey, altKey }: Key): string | null {
  if (altKey) return null;
  const isCharacter = key.length === 1 && key !== " ";
  const shift = shiftKey && (!isCharacter || ctrlKey || metaKey) ? "Shift+" : "";
  if (ctrlKey || metaKey) return `Ctrl+${shift}${isCharacter ? key.toUpperCase() : key}`;
  return `${shift}${key}`;
}

/** The command of a key where the focus is. */
export function commandOf(
  table: readonly Command[],
  key: Key,
  focus: "list" | "nowhere" | "elsewhere",
  letters: boolean,
): Command | null {
  const name = keyName(key);
  if (name === null || (name.length === 1 && name !== " " && !letters)) return null;
  const allowed = (scope: Command["scope"]) =>
    scope === "list" ? focus === "list" : scope === "free" ? focus !== "elsewhere" : true;
  return table.find((command) => command.keys?.includes(name) && allowed(command.scope)) ?? null;
}

/** Follows the keyboard. */
export function followKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || dialog.peek() || needsToken.peek()) return;
    const target = event.target as HTMLElement;
    const isControl = event.ctrlKey || event.metaKey;
    const isBox = target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;
    // What is typed into takes all keys but the combinations that it has no use for.
    if (isBox && !(isControl && event.key.toLowerCase() === "k")) return;
    // What has the focus takes these keys for itself.
    if (["Enter", " "].includes(event.key) && target.closest("button, a, summary, input")) return;
    const focus = target.closest("[data-list-keys]") ? "list" : target === document.body ? "nowhere" : "elsewhere";
    const command = commandOf(commands.peek(), event, focus, lettersOn.peek());
    if (!command || command.available?.() === false) return;
    event.preventDefault();
    command.run();
  });
}
