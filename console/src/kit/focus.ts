/** Where the focus goes when what had it goes away. */
import { useLayoutEffect, useRef } from "preact/hooks";

/** Give the focus to the page: its list, or else its heading. */
export function focusPage(): void {
  const place = document.querySelector<HTMLElement>("[data-page-focus]");
  place?.focus({ preventScroll: true });
}

/** Gives the focus to an element when it appears, and to what had it before, or to the page, when it goes. */
export function useFocusInside<T extends HTMLElement>(wanted = true) {
  const element = useRef<T>(null);
  useLayoutEffect(() => {
    if (!wanted) return;
    const before = document.activeElement;
    const mine = element.current;
    mine?.focus({ preventScroll: true });
    return () => {
      const now = document.activeElement;
      // The reader has gone on to something else already.
      if (now && now !== document.body && !mine?.contains(now)) return;
      if (before instanceof HTMLElement && before !== document.body && before.isConnected)
        before.focus({ preventScroll: true });
      else focusPage();
    };
  }, []);
  return element;
}
