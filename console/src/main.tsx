import { render } from "preact";
import { go, redirectOld } from "./address";
import { followKeys, setShellCommands } from "./commands";
import { startClosed } from "./pages/alerts/closed";
import { startLive } from "./pages/alerts/live";
import { keepOutside } from "./pages/alerts/store";
import { keepSession } from "./session";
import { App } from "./shell/App";
import { SHELL_COMMANDS } from "./shell/commands";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/table.css";
import "./styles/details.css";
import "./styles/dialogs.css";
import "./styles/pages.css";

redirectOld();
addEventListener("hashchange", () => {
  redirectOld();
  dispatchEvent(new PopStateEvent("popstate"));
});
if (location.pathname === "/") go(`/alerts${location.search}`, { replace: true });
setShellCommands(SHELL_COMMANDS);
keepSession();
keepOutside();
startClosed();
startLive();
followKeys();
render(<App />, document.getElementById("console") as HTMLElement);
