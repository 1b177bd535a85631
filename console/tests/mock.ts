/** `npm run mock -- --alerts 5000 --churn 50`: the stand-in for the server, with so many alerts and changes a second. */
import { parseArgs } from "node:util";
import type { Severity } from "../src/protocol";
import { MockServer } from "./mock-server";
import { newAlertOf } from "./sample-alerts";

const { values } = parseArgs({
  options: {
    alerts: { type: "string", default: "300" },
    churn: { type: "string", default: "2" },
    port: { type: "string", default: "8099" },
    token: { type: "string" },
  },
});

const server = await MockServer.start({ port: Number(values.port), ...(values.token ? { token: values.token } : {}) });
server.seed(Number(values.alerts));
console.log(`${server.url} has ${values.alerts} alerts`);

let number = Number(values.alerts);
const change = () => {
  const open = [...server.alerts.values()].filter((alert) => alert.status === "open");
  const alert = open[Math.floor(Math.random() * open.length)];
  const chance = Math.random();
  if (!alert || chance < 0.3) server.put(newAlertOf(number++, Date.now()), "opened");
  else if (chance < 0.55) server.close(alert.fingerprint);
  else if (chance < 0.8) server.put({ ...alert, output: alert.output.replace(/\d+/, (n) => String(Number(n) + 1)) });
  else {
    const severity: Severity = alert.severity === "critical" ? "warning" : "critical";
    server.put({ ...alert, severity }, "severity_changed");
  }
};
setInterval(change, 1000 / Number(values.churn));
