import { useLayoutEffect } from "preact/hooks";
import { addPageCommands } from "../../commands";
import { focusPage } from "../../kit/focus";
import { stale } from "../../session";
import { StaleBanner } from "../../shell/StaleBanner";
import { AlertTable } from "./AlertTable";
import { ALERT_COMMANDS } from "./alert-commands";
import { Details } from "./Details";
import { Sidebar } from "./Sidebar";
import * as state from "./store";
import { Toolbar } from "./Toolbar";

/** The page of the alerts: lists and facets, the table, and all about the one that is open. */
export function Alerts() {
  const opened = state.openedId.value;
  useLayoutEffect(() => {
    focusPage();
    return addPageCommands(ALERT_COMMANDS);
  }, []);
  return (
    <div class={`alerts-page ${opened ? "details-open" : ""} ${stale.value ? "is-stale" : ""}`}>
      <Sidebar />
      <main>
        <Toolbar />
        <AlertTable />
        <StaleBanner />
      </main>
      {opened && <Details id={opened} />}
    </div>
  );
}
