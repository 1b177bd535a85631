/** Faults that operators found in the console, each by its id, against the stand-in for the server. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { ALL_OPEN, live, mock, open, ROWS, rowsInSight, useBrowser } from "../harness";
import { type alertOf, integrationsOf, newAlertOf, upcomingOf } from "../sample-alerts";

useBrowser();

const at = (page: Page, row: number) => page.locator(ROWS).nth(row);

test("U1: each undo takes back its own action, and the key the last one that is left", async () => {
  const server = await mock();
  const alerts = [1, 2].map((index) => server.put({ ...newAlertOf(index, Date.now()), severity: "critical" }));
  const page = await open(`${server.url}${ALL_OPEN}`);
  await at(page, 1).waitFor();
  for (const _ of alerts) {
    await page.keyboard.press("j");
    await page.keyboard.press("a");
  }
  await expect.poll(() => page.getByTestId("toast").count()).toBe(2);
  const order = await page
    .locator(ROWS)
    .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.id ?? ""));
  const states = () => order.map((id) => server.alerts.get(id)?.operator_state);
  await expect.poll(states).toEqual(["acknowledged", "acknowledged"]);

  await page.getByTestId("toast").first().getByTestId("toast-action").click();
  await page.getByTestId("toast").filter({ hasText: "Undone for 1 alert" }).waitFor();
  expect(states()).toEqual(["active", "acknowledged"]);
  await page.keyboard.press("Control+z");
  await expect.poll(states).toEqual(["active", "active"]);
});

test("U2: what is typed into the name of a view goes there, and letters act only where the list has the focus", async () => {
  const server = await mock();
  const { fingerprint } = server.put(newAlertOf(1, Date.now()));
  const state = () => server.alerts.get(fingerprint)?.operator_state;
  const page = await open(`${server.url}${ALL_OPEN}`);
  await at(page, 0).waitFor();
  await page.keyboard.press("j");
  await page.getByText("Keep this").click();
  await page.keyboard.type("a");
  expect(await page.locator("input[name=name]").inputValue()).toBe("a");
  await page.keyboard.press("Escape");

  await page.getByTestId("severity-critical").focus();
  await page.keyboard.press("a");
  await page.getByTestId("alerts").focus();
  // Had one of the others acted, this one would find the alert acknowledged already.
  await page.keyboard.press("a");
  await page.getByTestId("toast").filter({ hasText: "Acknowledged 1 alert" }).waitFor();
  expect(await page.getByTestId("toast").count()).toBe(1);
  expect(state()).toBe("acknowledged");
});

test("U3: an empty list is no good news while the line is broken", async () => {
  const server = await mock({ beatMs: 200 });
  server.close(server.put(newAlertOf(1, Date.now())).fingerprint);
  const page = await open(`${server.url}${ALL_OPEN}`);
  await page.getByTestId("empty").filter({ hasText: "All is quiet" }).waitFor();
  server.down = true;
  server.dropAll();
  await page.locator("[data-testid=connection][data-status=stale]").waitFor();
  const text = await page.getByTestId("empty").innerText();
  expect(text).toMatch(/Unknown since \d\d:\d\d/);
  expect(text).not.toContain("quiet");
  expect(await page.title()).toContain("Unknown");
  server.down = false;
  await page.getByTestId("empty").filter({ hasText: "All is quiet" }).waitFor();
});

test("U5: a silenced alert is marked, counted by itself, and needs no attention", async () => {
  const server = await mock();
  const silenced = server.put({ ...newAlertOf(1, Date.now()), name: "Backup is late" });
  server.put({ ...newAlertOf(2, Date.now()), name: "Disk full", severity: "warning" });
  const at = new Date().toISOString();
  const ends_at = new Date(Date.now() + 3_600_000).toISOString();
  server.silences.push({
    id: "0192f0c1-0000-7000-8000-000000000000",
    matchers: [{ name: "alertname", operator: "=~", value: "Backup.*" }],
    starts_at: at,
    ends_at,
    updated_at: at,
    created_by: "Grace",
    comment: "Planned work",
    state: "active",
  });
  const page = await open(server.url);
  await page.getByTestId("count-silenced").getByText("1", { exact: true }).waitFor();
  expect(await page.getByTestId("count-attention").innerText()).toBe("1");
  expect(await page.title()).toBe("1 to attend to · Reveille");
  await page.getByTestId("list-open").click();
  const row = page.locator(`${ROWS}[data-id="${silenced.fingerprint}"][data-silenced=true]`);
  expect(await row.innerText()).toContain("silenced");
  await row.click();
  await page.getByTestId("states").filter({ hasText: "Silenced by Grace" }).waitFor();
});

test("U5: an alert whose scenario notifies no one is marked in its row, unless a channel has it already", async () => {
  const server = await mock();
  const one = { ...newAlertOf(1, Date.now()), channels: [] };
  server.put({ ...one, scenario: "office hours", name: "Notifies no one" });
  server.put({ ...newAlertOf(2, Date.now()), channels: [], scenario: "on-call", name: "Notifies later" });
  server.put({ ...newAlertOf(3, Date.now()), channels: ["slack"], scenario: "removed", name: "Was notified" });
  const page = await open(`${server.url}${ALL_OPEN}`);
  await page.getByTestId("unnotified").waitFor();
  expect(
    await page
      .locator(ROWS)
      .filter({ has: page.getByTestId("unnotified") })
      .innerText(),
  ).toMatch(/Notifies no one[\s\S]*no one is notified/);
  expect(await page.getByTestId("unnotified").count()).toBe(1);
});

test("U6: rows keep still under the pointer while the list is read, and the progress is shown", async () => {
  const server = await mock({ alerts: 3000 });
  server.holdParts = true;
  const page = await open(`${server.url}${ALL_OPEN}`);
  await page.getByTestId("total").filter({ hasText: "loading 1,000 of 3,000" }).waitFor();
  await at(page, 5).hover();
  const before = await rowsInSight(page);
  server.sendParts(1);
  await page.getByTestId("total").filter({ hasText: "loading 2,000 of 3,000" }).waitFor();
  server.sendParts();
  await page.getByTestId("total").filter({ hasText: "3,000 alerts" }).waitFor();
  expect((await rowsInSight(page)).places).toEqual(before.places);
  await page.mouse.move(5, 5);
  await page.locator("[data-testid=alerts][aria-rowcount='3001']").waitFor();
});

test("U7: with details open the list goes on after a minute without any input", async () => {
  const server = await mock({ beatMs: 500 });
  server.put(newAlertOf(1, Date.now()));
  const page = await open(`${server.url}${ALL_OPEN}`, "Ada", {}, (page) => page.clock.install());
  await at(page, 0).click();
  await page.getByTestId("details").waitFor();
  await page.mouse.move(5, 5);
  const added = server.put({ ...newAlertOf(2, Date.now()), severity: "down" }, "opened");
  await page.getByTestId("queue").filter({ hasText: "1 new" }).waitFor();
  expect(await page.locator(`${ROWS}[data-id="${added.fingerprint}"]`).count()).toBe(0);
  await page.clock.fastForward(61_000);
  await page.locator(`${ROWS}[data-id="${added.fingerprint}"]`).waitFor();

  await page.mouse.move(9, 9);
  const later = server.put({ ...newAlertOf(3, Date.now()), severity: "down" }, "opened");
  await page.getByTestId("queue").filter({ hasText: "1 new" }).waitFor();
  expect(await page.locator(`${ROWS}[data-id="${later.fingerprint}"]`).count()).toBe(0);
});

test("U8: an action on more than 100 alerts asks for their number", async () => {
  const server = await mock();
  for (let index = 0; index < 150; index++) server.put(newAlertOf(index, Date.now()));
  const page = await open(`${server.url}${ALL_OPEN}`);
  await page.getByTestId("count-open").filter({ hasText: "150" }).waitFor();
  const openAlerts = () => [...server.alerts.values()].filter((alert) => alert.status === "open").length;
  await page.keyboard.press("Control+a");
  await page.keyboard.press("r");
  await page.getByTestId("resolve-dialog").waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.type("15");
  await page.keyboard.press("Enter");
  await page.getByTestId("dialog-problem").filter({ hasText: "Type 150" }).waitFor();
  expect(openAlerts()).toBe(150);
  await page.keyboard.type("0");
  await page.keyboard.press("Enter");
  await page.getByTestId("toast").filter({ hasText: "Resolved 150 alerts" }).waitFor();
  expect(openAlerts()).toBe(0);
});

test("U9: very long names and objects are cut or wrapped, and texts keep their own direction", async () => {
  const server = await mock();
  const long = "x".repeat(800);
  server.put({ ...newAlertOf(1, Date.now()), name: long, object: `host-${long}`, labels: { [long]: long } });
  server.put({ ...newAlertOf(2, Date.now()), name: "שרת הדואר אינו זמין", severity: "ok" });
  const page = await open(`${server.url}${ALL_OPEN}`);
  await page.locator(ROWS, { hasText: "xxx" }).click();
  const details = page.getByTestId("details");
  await details.getByTestId("details-name").waitFor();
  await page.getByTestId("tab-labels").click();
  await expect.poll(() => details.getByTestId("details-name").innerText()).toMatch(/^x{160}…$/);
  const sizes = await page.evaluate(() => {
    const body = document.querySelector(".details-body") as HTMLElement;
    const overflow = [...document.querySelectorAll(".details, .details-body, main")].filter(
      (element) => element.scrollWidth > element.clientWidth + 1,
    ).length;
    return { page: document.documentElement.scrollWidth, width: innerWidth, body: body.clientHeight, overflow };
  });
  expect(sizes).toMatchObject({ page: 1280, width: 1280, overflow: 0 });
  expect(sizes.body).toBeGreaterThan(300);
  await page.getByText("Whole name").click();
  expect(await details.getByTestId("details-name").innerText()).toBe(long);
  const direction = await page
    .locator(ROWS, { hasText: "שרת" })
    .locator(".name")
    .evaluate((element) => getComputedStyle(element).direction);
  expect(direction).toBe("rtl");
});

test("U10: on a phone rows have two lines, targets have room, and Back stays in the console", async () => {
  const server = await mock({ alerts: 40 });
  const page = await open(`${server.url}${ALL_OPEN}`, "Ada", {
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  });
  await live(page);
  await at(page, 3).waitFor();
  const alert = server.alerts.get((await at(page, 3).getAttribute("data-id")) ?? "");
  const text = await at(page, 3).innerText();
  for (const part of [alert?.severity, alert?.name, alert?.object, alert?.environment]) expect(text).toContain(part);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(await smallTargets(page)).toEqual([]);

  await at(page, 3).tap();
  await page.waitForURL(/\/alerts\/[0-9a-f]{32}/);
  await page.getByTestId("journey").waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(await smallTargets(page)).toEqual([]);
  await page.goBack();
  await page.getByTestId("details").waitFor({ state: "detached" });
  expect(page.url()).toBe(`${server.url}${ALL_OPEN}`);
  await at(page, 3).waitFor();
});

/** What can be tapped and is smaller than a finger; lines of text and what scrolls in sight only in part are not counted. */
function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("button, a, input, select")].flatMap((element) => {
      if (!element.checkVisibility({ visibilityProperty: true }) || element.closest("p, dd, .links")) return [];
      const target = element.closest(".cell-check, label, .filter") ?? element;
      const { width, height } = target.getBoundingClientRect();
      return width < 44 || height < 44 ? [`${element.outerHTML.slice(0, 90)} ${width}×${height}`] : [];
    }),
  );
}

test("U12: a facet counts what it would show, and a click excludes a value", async () => {
  const server = await mock({ alerts: 300 });
  const page = await open(`${server.url}${ALL_OPEN}`);
  await page.getByTestId("count-open").filter({ hasText: "300" }).waitFor();
  const count = async (id: string) => Number((await page.getByTestId(`count-${id}`).innerText()).replace(",", ""));
  const of = (passes: (alert: ReturnType<typeof alertOf>) => boolean) =>
    [...server.alerts.values()].filter(passes).length;
  const warnings = of((alert) => alert.severity === "warning");
  const criticals = of((alert) => alert.severity === "critical");
  expect(await count("severity-critical")).toBe(criticals);
  await page.getByTestId("severity-critical").click();
  expect(await count("open")).toBe(criticals);
  expect(await count("severity-warning")).toBe(warnings);
  expect(await count("environment-staging")).toBe(
    of((alert) => alert.severity === "critical" && alert.environment === "staging"),
  );

  await page.getByTestId("severity-critical").click();
  await page.getByTestId("exclude-severity-warning").click();
  expect(await count("open")).toBe(300 - warnings);
  expect(await count("severity-warning")).toBe(warnings);
  await page.waitForURL(/severity=%21warning/);
  await page.reload();
  await page
    .getByTestId("count-open")
    .filter({ hasText: String(300 - warnings) })
    .waitFor();
  expect(await page.locator(`${ROWS}[data-severity=warning]`).count()).toBe(0);

  await at(page, 0).click();
  const team = server.alerts.get((await at(page, 0).getAttribute("data-id")) ?? "")?.labels?.team;
  await page.getByTestId("tab-labels").click();
  await page.getByTestId("exclude-label-team").click();
  await expect.poll(() => server.hellos.at(-1)?.filter).toEqual({ matchers: [`team!="${team}"`] });
});

test("U13: what needs attention comes first, alone is counted, and what is acknowledged leaves the list", async () => {
  const server = await mock();
  const acknowledgement = { by: "Grace", at: new Date().toISOString() };
  server.put({ ...newAlertOf(1, Date.now()), severity: "down", operator_state: "acknowledged", acknowledgement });
  const waiting = server.put({ ...newAlertOf(2, Date.now()), severity: "warning" });
  const page = await open(server.url);
  await page.getByTestId("count-attention").getByText("1", { exact: true }).waitFor();
  expect(await page.locator(ROWS).evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.id))).toEqual([
    waiting.fingerprint,
  ]);
  expect(await page.title()).toBe("1 to attend to · Reveille");
  expect(await page.getByTestId("count-acknowledged").innerText()).toBe("1");

  await page.keyboard.press("j");
  await page.keyboard.press("a");
  // It stays where it stands while the keyboard is in use, and says what became of it.
  await page.locator(`${ROWS}[data-gone=true]`, { hasText: "acknowledged" }).waitFor();
  expect(await page.title()).toBe("All quiet · Reveille");
  await page.keyboard.press("n");
  await page.getByTestId("empty").filter({ hasText: "No alert needs attention." }).waitFor();
  await page.getByTestId("list-acknowledged").click();
  await expect.poll(() => page.locator(ROWS).count()).toBe(2);
});

test("U14: the details say what is still to come and when, and that a scenario has no steps", async () => {
  const server = await mock();
  const now = Date.now();
  const paged = server.put({ ...newAlertOf(1, now), severity: "critical", scenario: "on-call" });
  server.upcoming.set(paged.fingerprint, upcomingOf(paged, now));
  const quiet = server.put({ ...newAlertOf(2, now), severity: "warning", scenario: "office hours" });
  const page = await open(`${server.url}/alerts/${paged.fingerprint}`);
  await page.getByTestId("upcoming").nth(1).waitFor();
  expect((await page.getByTestId("upcoming").allInnerTexts())[0]).toMatch(
    /Step 2[\s\S]*due [\d:]+, \dm left[\s\S]*notifies email on-call@example\.org/,
  );
  expect(await page.getByTestId("no-steps").count()).toBe(0);

  await page.goto(`${server.url}/alerts/${quiet.fingerprint}`);
  await page.getByTestId("no-steps").filter({ hasText: "office hours has no steps" }).waitFor();
});

test("U15: an empty installation leads to its first alert", async () => {
  const server = await mock();
  server.integrations = integrationsOf(Date.now()).slice(2);
  const page = await open(server.url);
  expect(await page.evaluate(() => document.querySelector(".table")?.scrollWidth)).toBeLessThan(1280);
  const steps = page.getByTestId("first-steps");
  await steps.filter({ hasText: "Waiting for the first event" }).waitFor();
  const lines = await steps.getByTestId("copy-text").allInnerTexts();
  expect(lines[1]).toContain(`curl -X POST '${server.url}/monitoring-system/api'`);
  const answer = await fetch(`${server.url}/monitoring-system/api`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-integration-key": "any" },
    body: JSON.stringify({
      alert_name: "Disk almost full",
      alert_severity: "critical",
      source: "test",
      object: "web-1",
    }),
  });
  expect(answer.status).toBe(202);
  await page.locator(ROWS, { hasText: "Disk almost full" }).waitFor();
  expect(await steps.count()).toBe(0);
});

test("U7: what comes and needs attention calls with a notification, once for what comes together", async () => {
  const server = await mock({ alerts: 10 });
  const page = await open(server.url, "Ada", {}, (page) =>
    page.addInitScript(() => {
      const called: string[] = [];
      class Stub {
        static permission = "granted";
        static requestPermission = async () => "granted";
        constructor(title: string) {
          called.push(title);
        }
      }
      Object.assign(window, { Notification: Stub, called });
      document.hasFocus = () => false;
    }),
  );
  await live(page);
  const called = () => page.evaluate(() => (window as unknown as { called: string[] }).called);
  server.put({ ...newAlertOf(100, Date.now()), severity: "down", name: "Before it was chosen" });
  await page.locator(ROWS, { hasText: "Before it was chosen" }).waitFor();
  await page.getByTestId("alarm").click();
  await page.getByTestId("toast").filter({ hasText: "with a sound and a notification" }).waitFor();
  server.put({ ...newAlertOf(101, Date.now()), severity: "warning", name: "Not grave enough" });
  const first = server.put({ ...newAlertOf(102, Date.now()), severity: "critical", name: "Core switch down" });
  await expect.poll(called).toEqual(["critical: Core switch down"]);
  server.put({ ...first, output: "Still down" });
  for (const index of [103, 104])
    server.put({ ...newAlertOf(index, Date.now()), severity: "urgent", name: `Later ${index}` });
  await expect.poll(called, { timeout: 15_000 }).toHaveLength(2);
  expect((await called())[1]).toMatch(/^urgent: Later 10\d and 1 more$/);
});
