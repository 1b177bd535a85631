/** What the tests in a real browser share. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, onTestFinished } from "vitest";
import { openBrowser } from "./browser-driver";
import { MockServer } from "./mock-server";

export const ROWS = "[data-testid=alert-row]";
/** All open alerts, acknowledged or not. */
export const ALL_OPEN = "/alerts?list=open";

let browser: Browser;
/** What the browsers complained of: errors of the page, and what its content security policy forbade. */
let complaints: string[] = [];

/** Opens a browser for the tests of a file; each of them fails if a page complained. */
export function useBrowser(): void {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());
  afterEach(() => {
    const found = complaints;
    complaints = [];
    expect(found).toEqual([]);
  });
}

export async function mock(options: { alerts?: number; token?: string; beatMs?: number } = {}): Promise<MockServer> {
  const server = await MockServer.start(options);
  server.seed(options.alerts ?? 0);
  onTestFinished(() => server.stop());
  return server;
}

/** A window of its own, of an operator whose name is known already unless it is null. */
export async function open(
  url: string,
  name: string | null = "Ada",
  options: BrowserContextOptions = {},
  prepare: (page: Page) => Promise<unknown> = async () => {},
): Promise<Page> {
  const context: BrowserContext = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  onTestFinished(() => context.close());
  context.setDefaultTimeout(30_000);
  if (name !== null) await context.addInitScript((value) => localStorage.setItem("reveille.name", value), name);
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/401|422|WebSocket/.test(message.text())) complaints.push(message.text());
  });
  await prepare(page);
  await page.goto(url);
  return page;
}

export async function live(page: Page): Promise<void> {
  await page.locator("[data-testid=connection][data-status=live]").waitFor();
}

/** A count of rows in the document, and the ids of those in sight by their place on the screen. */
export function rowsInSight(page: Page): Promise<{ count: number; places: Record<string, number> }> {
  return page.evaluate((rows) => {
    const elements = [...document.querySelectorAll<HTMLElement>(rows)];
    const places = elements.map((row) => [row.dataset.id, row.getBoundingClientRect().top] as const);
    return { count: elements.length, places: Object.fromEntries(places) };
  }, ROWS);
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds in a part of the page as it is, a line for each; the page has to be opened with `bypassCSP`. */
export async function axe(page: Page, part = "body"): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async (selector) => {
    interface Found {
      violations: { id: string; nodes: { target: unknown[]; failureSummary?: string }[] }[];
    }
    const { violations } = await (window as unknown as { axe: { run(part: string): Promise<Found> } }).axe.run(
      selector,
    );
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(
        ({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary?.split("\n")[1]?.trim()}`,
      ),
    );
  }, part);
}
