import { render } from "preact";
import { startClosed } from "./closed";
import { App } from "./components/App";
import { startLive } from "./live";
import { keepOutside } from "./state";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/table.css";
import "./styles/details.css";
import "./styles/dialogs.css";

keepOutside();
startClosed();
startLive();
render(<App />, document.getElementById("console") as HTMLElement);
