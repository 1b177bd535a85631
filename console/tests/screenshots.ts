/** `npm run screenshots -- FOLDER`: pictures of the console, for the documentation and for looking at it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openBrowser } from "./browser-driver";
import { MockServer } from "./mock-server";
import { newAlertOf } from "./sample-alerts";

const folder = process.argv[2] ?? "/tmp/console-screenshots";
mkdirSync(folder, { recursive: true });
const browser = await openBrowser();

async function shoot(
  name: string,
  options: { alerts: number; dark?: boolean; width?: number; height?: number; hash?: string },
  steps: (page: Page, server: MockServer) => Promise<void> = async () => {},
): Promise<void> {
  const server = await MockServer.start();
  server.seed(options.alerts);
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 860 },
    colorScheme: options.dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  await context.addInitScript(() => localStorage.setItem("reveille.name", "Ada Byrne"));
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && console.log(`${name}: ${message.text()}`));
  page.on("pageerror", (error) => console.log(`${name}: ${error.stack}`));
  await page.goto(server.url + (options.hash ?? ""));
  await page.getByTestId("connection").filter({ hasText: "Live" }).waitFor();
  await steps(page, server);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await context.close();
  await server.stop();
  console.log(name);
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
await shoot("refused-light", { alerts: 86, hash: "#q=host%3D~%22web-(%22" }, async (page) => {
  await page.getByTestId("filter-problem").waitFor();
});
await shoot("help-light", { alerts: 86 }, async (page) => {
  await page.keyboard.press("?");
  await page.getByTestId("help").waitFor();
});
await shoot("columns-light", { alerts: 86 }, async (page) => {
  await page.getByTestId("columns").click();
});
await shoot("narrow-light", { alerts: 86, width: 480, height: 800 });
await shoot("quiet-dark", { alerts: 0, dark: true });
await browser.close();
