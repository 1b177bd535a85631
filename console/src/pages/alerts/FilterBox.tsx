import { useEffect, useRef } from "preact/hooks";
import { focusPage } from "../../kit/focus";
import { Icon } from "../../kit/Icon";
import { IconButton } from "../../kit/IconButton";
import * as state from "./store";

const TYPING_MS = 250;

/** The filter box of the alerts. */
export function FilterBox() {
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
        dir="auto"
        defaultValue={query}
        onInput={() => {
          clearTimeout(timer.current);
          timer.current = setTimeout(take, TYPING_MS);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") take();
          if (event.key !== "Escape") return;
          take();
          focusPage();
        }}
      />
      {query ? (
        <IconButton
          icon="close"
          label="Clear the filter"
          look="small"
          onClick={() => {
            if (input.current) input.current.value = "";
            take();
            input.current?.focus();
          }}
        />
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
