import { address } from "../address";
import { openNameDialog } from "../identity";
import { Icon, type IconName } from "../kit/Icon";
import { IconButton } from "../kit/IconButton";
import { FilterBox } from "../pages/alerts/FilterBox";
import { author, session, stale, status, type Theme, theme } from "../session";
import { openHelp } from "./HelpDialog";
import { openPalette } from "./Palette";
import { SHOWN_PAGES } from "./pages";

/** The bar at the top: the pages, the filter box of the alerts, how the line stands, and what belongs to the reader. */
export function Header({ onMenu }: { onMenu: () => void }) {
  const onAlerts = address.value.startsWith("/alerts");
  return (
    <header class="header">
      <IconButton icon="menu" label="Pages and lists" look="menu-button" onClick={onMenu} />
      <a class="brand" href="/alerts" aria-label="Reveille, to the alerts">
        <img src="/favicon.svg" alt="" width="22" height="22" />
        <span>Reveille</span>
      </a>
      <PageLinks />
      {onAlerts ? <FilterBox /> : <span class="space" />}
      <ConnectionSign />
      <IconButton
        icon="command"
        label="Commands"
        title="Commands (Ctrl+K)"
        testId="palette-button"
        onClick={openPalette}
      />
      <ThemeButton />
      <IconButton
        icon="help"
        label="Help and keys"
        title="Help and keys (?)"
        testId="help-button"
        look="wide-only"
        onClick={openHelp}
      />
      <NameButton />
    </header>
  );
}

/** The pages; on a narrow screen they are in the menu. */
export function PageLinks() {
  const here = address.value;
  return (
    <nav class="page-links" aria-label="Pages">
      {SHOWN_PAGES.map(({ path, title, icon }) => (
        <a
          key={path}
          class="page-link"
          href={path}
          aria-current={here.startsWith(path) ? "page" : undefined}
          data-testid={`page-${path.slice(1)}`}
        >
          <Icon name={icon} />
          {title}
        </a>
      ))}
    </nav>
  );
}

/** Says how the line stands; its text is read out when the kind of it changes, not every second. */
function ConnectionSign() {
  const { kind } = status.value;
  const old = stale.value;
  const sign = old ? "stale" : kind === "live" ? "live" : kind === "stopped" ? "stale" : "connecting";
  const words = { live: "Live", connecting: "Connecting", stale: old?.why === "view" ? "Stale" : "Disconnected" };
  return (
    <span class={`connection connection-${sign}`} role="status" data-testid="connection" data-status={sign}>
      <i aria-hidden="true" />
      <span>{words[sign]}</span>
    </span>
  );
}

function ThemeButton() {
  const chosen = theme.value;
  const icons: Record<Theme, IconName> = { system: "system", light: "sun", dark: "moon" };
  const next: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
  const words: Record<Theme, string> = { system: "as the system", light: "light", dark: "dark" };
  return (
    <IconButton
      icon={icons[chosen]}
      label={`Colours: ${words[chosen]}. Change to ${words[next[chosen]]}.`}
      title={`Colours: ${words[chosen]}`}
      testId="theme"
      look="wide-only"
      onClick={() => {
        theme.value = next[chosen];
      }}
    />
  );
}

function NameButton() {
  const name = author.value;
  const fixed = session.value?.user != null;
  return (
    <button
      type="button"
      class="name-button"
      disabled={fixed}
      title={fixed ? "Signed in" : "Your name, as others will read it"}
      data-testid="name-button"
      onClick={() => openNameDialog()}
    >
      <span class="initials" aria-hidden="true">
        {initials(name ?? "?")}
      </span>
      <span class="name" dir="auto">
        {name ?? "Your name"}
      </span>
    </button>
  );
}

/** Up to two letters that stand for a person. */
export function initials(name: string): string {
  const words = name.split(/[\s._@-]+/).filter(Boolean);
  return (words.length > 1 ? `${words[0]?.[0]}${words[1]?.[0]}` : name.slice(0, 2)).toUpperCase();
}
