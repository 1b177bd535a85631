/** `npm run screenshots -- FOLDER`: pictures of the console, for the documentation and for looking at it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openBrowser } from "./browser-driver";
import { MockServer } from "./mock-server";
import { HEARTBEATS, integrationsOf, missedOf, newAlertOf, rejectedOf, revisionsOf } from "./sample-alerts";

const folder = process.argv[2] ?? "/tmp/console-screenshots";
/** Only the pictures whose names begin so. */
const only = process.argv[3];
mkdirSync(folder, { recursive: true });
const browser = await openBrowser();

async function shoot(
  name: string,
  options: { alerts: number; dark?: boolean; width?: number; height?: number; path?: string },
  steps: (page: Page, server: MockServer) => Promise<void> = async () => {},
): Promise<void> {
  if (only && !name.startsWith(only)) return;
  const server = await MockServer.start();
  server.seed(options.alerts);
  server.integrations = integrationsOf(Date.now());
  server.rejected = rejectedOf(Date.now());
  server.heartbeats = HEARTBEATS;
  const missed = options.path === "/heartbeats" ? HEARTBEATS.slice(0, 2) : [];
  for (const [index, heartbeat] of missed.entries())
    server.put(missedOf(heartbeat, 9900 + index, Date.now() - 480_000));
  server.revisions.push(...revisionsOf(Date.now()));
  server.silences.push(...silencesOf(Date.now()));
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 860 },
    colorScheme: options.dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  await context.addInitScript(() => localStorage.setItem("reveille.name", "Ada Byrne"));
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && console.log(`${name}: ${message.text()}`));
  page.on("pageerror", (error) => console.log(`${name}: ${error.stack}`));
  await page.goto(server.url + (options.path ?? "/alerts?list=open"));
  await page.getByTestId("connection").filter({ hasText: "Live" }).waitFor();
  await steps(page, server);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await context.close();
  await server.stop();
  console.log(name);
}

function silencesOf(now: number): MockServer["silences"][number][] {
  const at = (minutes: number) => new Date(now + minutes * 60_000).toISOString();
  const common = { created_by: "Lena Vogt", updated_at: at(-30), starts_at: at(-30) };
  return [
    {
      ...common,
      id: "0192f0c1-0000-7000-8000-000000000001",
      matchers: [
        { name: "alertname", operator: "=", value: "Backup older than 26 h" },
        { name: "object", operator: "=~", value: "backup-0.*" },
      ],
      ends_at: at(95),
      comment: "The tape library is being replaced",
      state: "active",
    },
    {
      ...common,
      id: "0192f0c1-0000-7000-8000-000000000002",
      matchers: [{ name: "team", operator: "=", value: "edge" }],
      ends_at: at(-12),
      comment: "Deploy of edge 4.2",
      state: "expired",
    },
  ];
}

const openRow = async (page: Page, nth: number) => {
  await page.getByTestId("alert-row").nth(nth).locator(".cell-object").click();
  await page.getByTestId("history-entry").first().waitFor();
};

await shoot("light", { alerts: 86 }, async (page) => openRow(page, 13));
await shoot("details-dark", { alerts: 86, dark: true }, async (page) => openRow(page, 10));
await shoot("dark", { alerts: 340, dark: true }, async (page, server) => {
  await page.getByTestId("select").nth(5).click();
  await page.getByTestId("select").nth(7).click();
  for (let index = 0; index < 12; index++) server.put(newAlertOf(9000 + index, Date.now()), "opened");
  server.close((await page.locator("[data-testid=alert-row]").nth(10).getAttribute("data-id")) as string);
  await page.getByTestId("queue").filter({ hasText: "12 new" }).waitFor();
});
await shoot("list-light", { alerts: 86 });
await shoot("many-dark", { alerts: 5000, dark: true }, async (page, server) => {
  await page.getByTestId("alert-row").nth(8).hover();
  for (let index = 0; index < 12; index++) server.put(newAlertOf(9000 + index, Date.now()), "opened");
  for (const row of [2, 6])
    server.close((await page.getByTestId("alert-row").nth(row).getAttribute("data-id")) as string);
  await page.getByTestId("queue").waitFor();
});
await shoot("selection-light", { alerts: 86 }, async (page) => {
  await page.getByTestId("select").nth(2).click();
  await page
    .getByTestId("select")
    .nth(6)
    .click({ modifiers: ["Shift"] });
});
await shoot("snooze-dark", { alerts: 86, dark: true }, async (page) => {
  await page.getByTestId("select").nth(2).click();
  await page.keyboard.press("s");
  await page.getByTestId("snooze-dialog").waitFor();
});
await shoot("toast-light", { alerts: 86 }, async (page) => {
  await page.getByTestId("select").nth(2).click();
  await page
    .getByTestId("select")
    .nth(4)
    .click({ modifiers: ["Shift"] });
  await page.keyboard.press("a");
  await page.getByTestId("toast").waitFor();
});
for (const dark of [false, true])
  await shoot(`stale-${dark ? "dark" : "light"}`, { alerts: 86, dark }, async (page, server) => {
    await page.clock.install();
    server.silent = true;
    await page.reload();
    server.silent = false;
    await page.reload();
    await page.getByTestId("connection").filter({ hasText: "Live" }).waitFor();
    server.silent = true;
    await page.clock.runFor(15_000);
    await page.getByTestId("stale-banner").waitFor();
  });
await shoot("refused-light", { alerts: 86, path: "/alerts?q=host%3D~%22web-(%22" }, async (page) => {
  await page.getByTestId("filter-problem").waitFor();
});
await shoot("help-light", { alerts: 86 }, async (page) => {
  await page.keyboard.press("?");
  await page.getByTestId("help").waitFor();
});
await shoot("columns-light", { alerts: 86 }, async (page) => {
  await page.getByTestId("columns").click();
});
const PHONE = { width: 390, height: 844 };
await shoot("attention-light", { alerts: 86, path: "/alerts" });
await shoot("phone-light", { alerts: 86, ...PHONE });
await shoot("phone-details-dark", { alerts: 86, dark: true, ...PHONE }, async (page) => {
  await page.getByTestId("alert-row").nth(3).click();
  await page.getByTestId("history-entry").first().waitFor();
});
await shoot("phone-menu-light", { alerts: 86, ...PHONE }, async (page) => {
  await page.getByLabel("Pages and lists").click();
});
await shoot("palette-dark", { alerts: 86, dark: true }, async (page) => {
  await page.keyboard.press("Control+k");
  await page.getByTestId("palette").waitFor();
});
await shoot("silence-form-light", { alerts: 86 }, async (page) => {
  await page.getByTestId("select").nth(2).click();
  await page.getByTestId("select").nth(4).click();
  await page.getByTestId("do-silence").click();
  await page.getByTestId("preview").filter({ hasText: "Matches" }).waitFor();
});
for (const tab of ["labels", "notifications"])
  await shoot(`details-${tab}-light`, { alerts: 86 }, async (page) => {
    await openRow(page, 13);
    await page.getByTestId(`tab-${tab}`).click();
    await page.locator("[role=tabpanel] li").first().waitFor();
  });
await shoot("site-light", { alerts: 20, path: "/site" }, async (page, server) => {
  server.answerToSite.changes = [{ change: "change", key: "scenario/office hours", fields: ["steps"] }];
  await page.getByTestId("restore").nth(1).click();
  await page.getByTestId("site-change").waitFor();
});
await shoot("revision-dark", { alerts: 20, dark: true, path: "/site" }, async (page) => {
  await page.getByTestId("read-revision").first().click();
  await page.getByTestId("entry-change").waitFor();
});
for (const name of ["silences", "integrations", "heartbeats", "rejected"])
  for (const width of [1440, 390])
    await shoot(`${name}-${width}`, { alerts: 20, path: `/${name}`, width, dark: width === 390 }, async (page) => {
      await page.getByTestId(`${name}-row`).first().waitFor();
    });
await shoot("rejected-body-light", { alerts: 20, path: "/rejected" }, async (page) => {
  await page.getByTestId("read-body").first().click();
  await page.getByTestId("body-text").waitFor();
});
await shoot("wall-dark", { alerts: 200, dark: true, path: "/wall" }, async (page) => {
  await page.getByTestId("wall-row").first().waitFor();
});
await shoot("first-steps-light", { alerts: 0, path: "/alerts" }, async (page) => {
  await page.getByTestId("first-steps").waitFor();
});
await browser.close();
