/** What axe finds on each page, in both themes, on a wide screen, a laptop and a phone. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { TAB_NAMES } from "../../src/pages/alerts/tabs";
import { ALL_OPEN, axe, live, mock, open, ROWS, useBrowser } from "../harness";
import { HEARTBEATS, integrationsOf, missedOf, rejectedOf, revisionsOf } from "../sample-alerts";

useBrowser();

const press = (key: string, testId: string) => async (page: Page) => {
  await page.getByTestId("alerts").focus();
  await page.keyboard.press("j");
  await page.keyboard.press(key);
  await page.getByTestId(testId).waitFor();
};

/** What is looked at: an address, and how to get to what lies over it. */
const SCENES: readonly [name: string, path: string, steps?: (page: Page) => Promise<void>][] = [
  ["the list", ALL_OPEN],
  [
    "a selection",
    ALL_OPEN,
    async (page) => {
      await page.getByTestId("select").nth(1).click();
      await page.getByTestId("select").nth(3).click();
    },
  ],
  [
    "the details",
    ALL_OPEN,
    async (page) => {
      await page.locator(ROWS).nth(2).click();
      await page.getByTestId("history-entry").first().waitFor();
    },
  ],
  ...TAB_NAMES.slice(1).map((tab): [string, string, (page: Page) => Promise<void>] => [
    `the details, ${tab}`,
    ALL_OPEN,
    async (page) => {
      await page.locator(ROWS).nth(2).click();
      await page.getByTestId(`tab-${tab}`).click();
      await page.locator("[role=tabpanel] :is(li, dd, pre)").first().waitFor();
    },
  ]),
  ["the snooze dialog", ALL_OPEN, press("s", "snooze-dialog")],
  ["the silence form", ALL_OPEN, press("m", "silence-form")],
  ["the palette", ALL_OPEN, press("Control+k", "palette")],
  ["the help", ALL_OPEN, press("?", "help")],
  ["silences", "/silences", (page) => page.getByTestId("silences-row").first().waitFor()],
  ["integrations", "/integrations", (page) => page.getByTestId("integrations-row").first().waitFor()],
  ["heartbeats", "/heartbeats", (page) => page.getByTestId("heartbeats-row").first().waitFor()],
  ["the site", "/site", (page) => page.getByTestId("revisions-row").first().waitFor()],
  [
    "the site's mistakes",
    "/site",
    async (page) => {
      await page.getByTestId("site-begin").click();
      await page.getByTestId("site-problem").first().waitFor();
    },
  ],
  [
    "a revision",
    "/site",
    async (page) => {
      await page.getByTestId("read-revision").first().click();
      await page.getByTestId("entry-change").first().waitFor();
    },
  ],
  ["the wall board", "/wall", (page) => page.getByTestId("wall-row").first().waitFor()],
  ["rejected", "/rejected", (page) => page.getByTestId("rejected-row").first().waitFor()],
];

for (const colorScheme of ["light", "dark"] as const)
  for (const width of [1440, 1024, 390])
    test(`axe finds nothing: ${colorScheme}, ${width} px`, async () => {
      const server = await mock({ alerts: 60 });
      server.integrations = integrationsOf(Date.now());
      server.rejected = rejectedOf(Date.now());
      server.heartbeats = HEARTBEATS;
      server.revisions.push(...revisionsOf(Date.now()));
      server.answerToSite.problems = [{ line: 2, column: 3, message: "unknown field", remedy: "leave it out" }];
      for (const [index, heartbeat] of HEARTBEATS.slice(0, 2).entries())
        server.put({ ...missedOf(heartbeat, 900 + index, Date.now()), severity: "ok" });
      server.silences.push({
        id: "0192f0c1-0000-7000-8000-000000000000",
        matchers: [{ name: "team", operator: "=", value: "pay" }],
        starts_at: new Date().toISOString(),
        ends_at: new Date(Date.now() + 3_600_000).toISOString(),
        updated_at: new Date().toISOString(),
        created_by: "Grace",
        comment: "Planned work",
        state: "active",
      });
      const found: string[] = [];
      for (const [name, path, steps] of SCENES) {
        const options = {
          viewport: { width, height: 860 },
          colorScheme,
          bypassCSP: true,
          reducedMotion: "reduce" as const,
        };
        const page = await open(`${server.url}${path}`, "Ada", options);
        await live(page);
        if (path === ALL_OPEN) await page.locator(ROWS).first().waitFor();
        await steps?.(page);
        const isDialog = (await page.locator("dialog").count()) > 0;
        found.push(...(await axe(page, isDialog ? "dialog" : "body")).map((line) => `${name}: ${line}`));
        await page.close();
      }
      expect(found).toEqual([]);
    }, 180_000);
