import { useEffect, useRef } from "preact/hooks";
import { reconnect } from "../live";
import * as state from "../state";
import { wordDuration } from "../time";
import { Icon, type IconName } from "./Icon";

const TYPING_MS = 250;

/** The bar at the top: the filter box, how the line stands, and what belongs to the reader. */
export function Header({ onMenu }: { onMenu: () => void }) {
  return (
    <header class="header">
      <button type="button" class="icon-button menu-button" aria-label="Lists and filters" onClick={onMenu}>
        <Icon name="menu" />
      </button>
      <a class="brand" href="#list=open">
        <img src="/favicon.svg" alt="" width="22" height="22" />
        <span>Reveille</span>
      </a>
      <FilterBox />
      <ConnectionSign />
      <ThemeButton />
      <button
        type="button"
        class="icon-button"
        aria-label="Help and keys"
        title="Help and keys (?)"
        data-testid="help-button"
        onClick={() => {
          state.dialog.value = { kind: "help" };
        }}
      >
        <Icon name="help" />
      </button>
      <NameButton />
    </header>
  );
}

function FilterBox() {
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const query = state.choice.value.query;
  /** The query as it was last read from the box or written into it. */
  const taken = useRef(query);
  const parsed = state.parsed.value;
  const problem = parsed.ok ? state.refusal.value : parsed.message;

  // A query of another origin (a link, a label that was clicked) goes into the box. One that came from the box does not:
  // this effect runs after the next paint, and more may have been typed by then.
  useEffect(() => {
    const current = state.choice.peek().query;
    if (input.current && current.trim() !== taken.current.trim()) input.current.value = current;
    taken.current = current;
  }, [query]);

  const take = () => {
    clearTimeout(timer.current);
    const text = input.current?.value ?? "";
    taken.current = text;
    if (text !== state.choice.peek().query) state.choice.value = { ...state.choice.peek(), query: text };
  };
  return (
    <search class={`filter ${problem ? "filter-wrong" : ""}`}>
      <Icon name="search" />
      <input
        ref={input}
        id="filter"
        type="text"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder={'Filter: text, team="pay", env!=dev, host=~"web-.*"'}
        aria-label="Filter alerts by text and label matchers"
        aria-invalid={problem !== null}
        aria-describedby="filter-problem"
        data-testid="filter"
        defaultValue={query}
        onInput={() => {
          clearTimeout(timer.current);
          timer.current = setTimeout(take, TYPING_MS);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") take();
          if (event.key !== "Escape") return;
          take();
          document.getElementById("alerts")?.focus();
        }}
      />
      {query ? (
        <button
          type="button"
          class="icon-button small"
          aria-label="Clear the filter"
          onClick={() => {
            if (input.current) input.current.value = "";
            take();
            input.current?.focus();
          }}
        >
          <Icon name="close" />
        </button>
      ) : (
        <kbd>/</kbd>
      )}
      <p id="filter-problem" class="filter-problem" role="status" data-testid="filter-problem" hidden={!problem}>
        {problem && (
          <>
            <strong>Not applied.</strong> {problem}
          </>
        )}
      </p>
    </search>
  );
}

/** Says how the line stands; its text is read out when the kind of it changes, not every second. */
function ConnectionSign() {
  const { kind } = state.status.value;
  const stale = state.stale.value;
  const sign = stale ? "stale" : kind === "live" ? "live" : kind === "stopped" ? "stale" : "connecting";
  const words = { live: "Live", connecting: "Connecting", stale: stale?.why === "view" ? "Stale" : "Disconnected" };
  return (
    <span class={`connection connection-${sign}`} role="status" data-testid="connection" data-status={sign}>
      <i aria-hidden="true" />
      {words[sign]}
    </span>
  );
}

/** The clear sign over the table that what it shows may be old. It covers nothing of use and moves no row. */
export function StaleBanner() {
  const stale = state.stale.value;
  if (!stale) return null;
  const now = state.clock.value - state.clockOffset.value;
  const status = state.status.value;
  const ago = wordDuration(now - stale.since);
  const retry = status.kind === "waiting" ? Math.max(0, Math.ceil((status.retryAt - now) / 1000)) : null;
  return (
    <div class="stale-banner" data-testid="stale-banner">
      <span role="alert">
        <strong>This list may be out of date.</strong>
      </span>
      <span>
        {stale.why === "line"
          ? `Nothing was heard from the server for ${ago}. `
          : `The server's view has heard nothing for ${ago}; it catches up by itself. `}
        {stale.why === "line" && (retry === null ? "Connecting…" : `Trying again in ${retry}s.`)}
      </span>
      {status.kind === "waiting" && (
        <button type="button" class="button" onClick={reconnect}>
          Try now
        </button>
      )}
    </div>
  );
}

function ThemeButton() {
  const theme = state.theme.value;
  const icons: Record<state.Theme, IconName> = { system: "system", light: "sun", dark: "moon" };
  const next: Record<state.Theme, state.Theme> = { system: "light", light: "dark", dark: "system" };
  const words: Record<state.Theme, string> = { system: "as the system", light: "light", dark: "dark" };
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={`Colours: ${words[theme]}. Change to ${words[next[theme]]}.`}
      title={`Colours: ${words[theme]}`}
      data-testid="theme"
      onClick={() => {
        state.theme.value = next[theme];
      }}
    >
      <Icon name={icons[theme]} />
    </button>
  );
}

function NameButton() {
  const name = state.author.value;
  const fixed = state.session.value?.user != null;
  return (
    <button
      type="button"
      class="name-button"
      disabled={fixed}
      title={fixed ? "Signed in" : "Your name, as others will read it"}
      data-testid="name-button"
      onClick={() => {
        state.dialog.value = { kind: "name", afterwards: () => {} };
      }}
    >
      <span class="initials" aria-hidden="true">
        {initials(name ?? "?")}
      </span>
      <span class="name">{name ?? "Your name"}</span>
    </button>
  );
}

/** Up to two letters that stand for a person. */
export function initials(name: string): string {
  const words = name.split(/[\s._@-]+/).filter(Boolean);
  return (words.length > 1 ? `${words[0]?.[0]}${words[1]?.[0]}` : name.slice(0, 2)).toUpperCase();
}
