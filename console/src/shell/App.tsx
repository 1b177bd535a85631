import { useComputed } from "@preact/signals";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { ErrorBoundary, LocationProvider, Route, Router, useLocation } from "preact-iso";
import { address } from "../address";
import { dialog } from "../kit/forms";
import { needsToken } from "../session";
import { Header } from "./Header";
import { PAGES, SHOWN_PAGES } from "./pages";
import { Toasts } from "./Toasts";
import { TokenDialog } from "./TokenDialog";

/** The whole console: the bar, the page that the address names, and what lies over it. */
export function App() {
  const [menuOpen, setMenuOpen] = useState(false);
  const path = useComputed(() => address.value.split("?")[0]).value;
  useEffect(() => setMenuOpen(false), [path]);
  return (
    <LocationProvider>
      <Follow />
      <div class={`app ${menuOpen ? "menu-open" : ""}`} style={{ "--pages": SHOWN_PAGES.length }}>
        <Header onMenu={() => setMenuOpen(!menuOpen)} />
        {/* A choice in the menu of a narrow page is made: the menu gives way to what was chosen. */}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: what is clicked are the buttons inside. */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: what is clicked are the buttons inside. */}
        <div class="page-area" onClick={(event) => menuOpen && closesMenu(event) && setMenuOpen(false)}>
          <ErrorBoundary>
            <Router>
              {PAGES.map(({ route, component }) => (
                <Route key={route} path={route} component={component} />
              ))}
              <Route default component={NotFound} />
            </Router>
          </ErrorBoundary>
        </div>
        <Toasts />
        {needsToken.value ? <TokenDialog /> : dialog.value?.()}
      </div>
    </LocationProvider>
  );
}

function closesMenu(event: MouseEvent): boolean {
  return (event.target as HTMLElement).closest("input, form, summary, [aria-expanded]") === null;
}

/** Tells the stores of the pages where the router is. */
function Follow() {
  const { url } = useLocation();
  useLayoutEffect(() => {
    address.value = url;
  }, [url]);
  return null;
}

function NotFound() {
  return (
    <main class="page">
      <h1 tabIndex={-1} data-page-focus>
        There is no such page
      </h1>
      <p>
        <a href="/alerts">To the alerts</a>
      </p>
    </main>
  );
}
