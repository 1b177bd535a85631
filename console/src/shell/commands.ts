/** The commands that are there on every page. */
import { go } from "../address";
import { type Command, GO } from "../commands";
import { openNameDialog } from "../identity";
import { ZONES, zone } from "../kit/zone";
import { session, theme } from "../session";
import { openHelp } from "./HelpDialog";
import { openPalette } from "./Palette";
import { PAGES } from "./pages";

const CONSOLE = "Console";

export const SHELL_COMMANDS: readonly Command[] = [
  ...PAGES.map(
    ({ path, title, icon }): Command => ({ id: `go-${path.slice(1)}`, title, group: GO, icon, run: () => go(path) }),
  ),
  {
    id: "palette",
    title: "Find a command",
    group: CONSOLE,
    keys: ["Ctrl+K"],
    scope: "page",
    onlyKey: true,
    run: openPalette,
  },
  { id: "help", title: "Help and keys", group: CONSOLE, icon: "help", keys: ["?"], scope: "page", run: openHelp },
  {
    id: "name",
    title: "Change your name",
    group: CONSOLE,
    icon: "assign",
    available: () => session.peek()?.user == null,
    run: () => openNameDialog(),
  },
  ...ZONES.map(
    (name): Command => ({
      id: `zone-${name}`,
      title: name === "utc" ? "Times in UTC" : "Times in the zone of the browser",
      group: CONSOLE,
      icon: "snooze",
      available: () => zone.peek() !== name,
      run: () => {
        zone.value = name;
      },
    }),
  ),
  ...(["light", "dark", "system"] as const).map(
    (name): Command => ({
      id: `theme-${name}`,
      title: name === "system" ? "Colours as the system" : `Colours: ${name}`,
      group: CONSOLE,
      icon: ({ light: "sun", dark: "moon", system: "system" } as const)[name],
      run: () => {
        theme.value = name;
      },
    }),
  ),
];
