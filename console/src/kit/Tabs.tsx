/** Tabs as <https://www.w3.org/WAI/ARIA/apg/patterns/tabs/> describes them: arrow keys, Home and End choose. */
import { useRef } from "preact/hooks";

export interface TabSpec<T extends string> {
  id: T;
  title: string;
}

/** A list of tabs, and the content of the chosen one. */
export function Tabs<T extends string>(properties: {
  label: string;
  tabs: readonly TabSpec<T>[];
  chosen: T;
  onChoose: (tab: T) => void;
  children: preact.ComponentChildren;
}) {
  const { label, tabs, chosen, onChoose, children } = properties;
  const list = useRef<HTMLDivElement>(null);
  const choose = (index: number) => {
    onChoose((tabs[index] as TabSpec<T>).id);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[index]?.focus();
  };
  return (
    <>
      <div ref={list} class="tabs" role="tablist" aria-label={label}>
        {tabs.map(({ id, title }, index) => (
          <button
            key={id}
            type="button"
            class="tab"
            role="tab"
            id={`tab-${id}`}
            aria-selected={id === chosen}
            aria-controls={id === chosen ? "tab-panel" : undefined}
            tabIndex={id === chosen ? 0 : -1}
            data-testid={`tab-${id}`}
            onClick={() => onChoose(id)}
            onKeyDown={(event) => {
              const next = tabAfter(event.key, index, tabs.length);
              if (next === null) return;
              event.preventDefault();
              choose(next);
            }}
          >
            {title}
          </button>
        ))}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the pattern puts a panel after its tab in the order of the keyboard. */}
      <div class="tab-panel" role="tabpanel" id="tab-panel" aria-labelledby={`tab-${chosen}`} tabIndex={0}>
        {children}
      </div>
    </>
  );
}

/** The place of the tab that a key leads to; null when the key is not one of theirs. */
export function tabAfter(key: string, index: number, count: number): number | null {
  switch (key) {
    case "ArrowRight":
      return (index + 1) % count;
    case "ArrowLeft":
      return (index + count - 1) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}
