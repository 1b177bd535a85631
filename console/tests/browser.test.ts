/**
 * The console in a real browser. With REVEILLE_URL and REVEILLE_CURL_KEY (an integration key; REVEILLE_ACCESS_TOKEN if the
 * server asks for one) the first tests run against a real server; all others need the stand-in, as they steer it.
 */

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { ALL_OPEN, live, mock, open, ROWS, rowsInSight, useBrowser } from "./harness";
import { alertOf, newAlertOf } from "./sample-alerts";

useBrowser();

const real = process.env.REVEILLE_URL;

/** A window on the real server, if there is one; signed in if that is asked for. */
async function openLive(url: string, name: string | null = "Ada"): Promise<Page> {
  const page = await open(url, name);
  if (real && process.env.REVEILLE_ACCESS_TOKEN) {
    await page.locator("input[name=token]").fill(process.env.REVEILLE_ACCESS_TOKEN);
    await page.keyboard.press("Enter");
  }
  await live(page);
  return page;
}

test("the document that the site page begins with is what the site is: it changes nothing", async () => {
  const page = await openLive(`${real ?? (await mock()).url}/site`);
  await page.getByTestId("site-begin").click();
  await page.getByTestId("site-same").waitFor();
  expect(await page.getByTestId("site-text").inputValue()).toContain("environments:\n");
});

test("an alert appears, is acknowledged by keyboard, is seen so elsewhere, and goes when it is resolved", async () => {
  const url = real ?? (await mock({ alerts: 20 })).url;
  const start = `${url}${ALL_OPEN}`;
  const key = process.env.REVEILLE_CURL_KEY ?? "any";
  const name = `Console check ${Date.now()}`;
  const first = await openLive(start, null);
  const second = await openLive(start);
  for (const page of [first, second]) {
    await page.keyboard.press("/");
    await page.keyboard.type(name);
    await page.keyboard.press("Enter");
    await page.getByTestId("empty").waitFor();
    await page.keyboard.press("Escape");
  }

  const answer = await fetch(`${url}/monitoring-system/api?integration_key=${encodeURIComponent(key)}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      alert_name: name,
      alert_severity: "critical",
      source: "test",
      object: "host-1",
      notification_output: "Raised by the test of the console.",
    }),
  });
  expect(answer.status).toBeLessThan(300);
  const row = (page: Page, more = "") => page.locator(`${ROWS}${more}`, { hasText: name });
  await row(first, "[data-state=active]").waitFor();
  await row(second, "[data-state=active]").waitFor();

  await first.keyboard.press("j");
  await first.keyboard.press("a");
  await first.locator("input[name=name]").fill("Grace");
  await first.keyboard.press("Enter");
  await first.getByTestId("toast").filter({ hasText: "Acknowledged 1 alert" }).waitFor();
  await row(second, "[data-state=acknowledged]").waitFor();

  await row(second).click();
  await second.getByTestId("states").filter({ hasText: "Acknowledged by Grace" }).waitFor();
  await second.getByTestId("history-entry").filter({ hasText: "Acknowledged" }).first().waitFor();
  await second.getByTestId("received").filter({ hasText: "received from test at" }).waitFor();
  await second.getByTestId("now").waitFor();
  await second.getByTestId("close-details").click();

  await first.keyboard.press("u");
  await row(second, "[data-state=active]").waitFor();

  // What was done long ago is taken back where it is shown.
  await first.keyboard.press("a");
  await row(second, "[data-state=acknowledged]").waitFor();
  await row(first).click();
  await first.getByTestId("take-back-unacknowledge").click();
  await first.getByTestId("toast").filter({ hasText: "Took back the acknowledgement of 1 alert" }).waitFor();
  await row(second, "[data-state=active]").waitFor();
  await first.getByTestId("close-details").click();

  await first.keyboard.press("r");
  await first.getByTestId("resolve-dialog").waitFor();
  await first.keyboard.press("Enter");
  await first.getByTestId("toast").filter({ hasText: "Resolved 1 alert" }).waitFor();
  await second.mouse.move(5, 5);
  await row(second).waitFor({ state: "detached" });
  await row(first).waitFor({ state: "detached" });
}, 120_000);

describe("against the stand-in", () => {
  test("with 5,000 alerts few rows are drawn, and none moves under the pointer while news come", async () => {
    const server = await mock({ alerts: 5000 });
    const page = await open(`${server.url}${ALL_OPEN}`);
    await page.getByTestId("count-open").filter({ hasText: "5,000" }).waitFor();
    const top = page.locator(ROWS).nth(6);
    await top.hover();
    const before = await rowsInSight(page);
    expect(before.count).toBeLessThan(60);
    const [changing, leaving] = Object.keys(before.places) as [string, string];

    for (let index = 0; index < 200; index++)
      server.put({ ...alertOf(20_000 + index, Date.now()), severity: "down" }, "opened");
    const changed = server.alerts.get(changing);
    if (!changed) throw new Error("The first row is of no alert.");
    server.put({ ...changed, severity: "information", output: "It has changed in place" });
    server.close(leaving);
    await page.getByTestId("queue").filter({ hasText: "200 new" }).waitFor();
    await page.locator(`${ROWS}[data-id="${changing}"]`, { hasText: "It has changed in place" }).waitFor();
    await page.locator(`${ROWS}[data-id="${leaving}"][data-gone=true]`).waitFor();
    expect((await rowsInSight(page)).places).toEqual(before.places);

    await page.getByTestId("queue").click();
    await page.locator(`${ROWS}[data-id="${leaving}"]`).waitFor({ state: "detached" });
    await page.getByTestId("queue").waitFor({ state: "detached" });
    expect((await rowsInSight(page)).places).not.toEqual(before.places);

    const newest = server.put({ ...newAlertOf(30_000, Date.now()), severity: "down", name: "The newest of all" });
    await page.getByTestId("queue").filter({ hasText: "1 new" }).waitFor();
    await page.mouse.move(5, 5);
    await page.locator(`${ROWS}[data-id="${newest.fingerprint}"]`).waitFor();

    await page.keyboard.press("End");
    await page.locator(`${ROWS}[aria-rowindex="5201"]`).waitFor();
    expect((await rowsInSight(page)).count).toBeLessThan(60);
  });

  test("rows above that come and go do not move what a reader has scrolled to", async () => {
    const server = await mock({ alerts: 2000 });
    const page = await open(`${server.url}${ALL_OPEN}`);
    await page.getByTestId("count-open").filter({ hasText: "2,000" }).waitFor();
    await page.locator("#alerts").evaluate((table) => table.scrollTo({ top: 20_000 }));
    await page.locator(`${ROWS}[aria-rowindex="600"]`).waitFor();
    const before = await rowsInSight(page);
    const watched = await page.locator(`${ROWS}[aria-rowindex="600"]`).getAttribute("data-id");
    for (let index = 0; index < 30; index++)
      server.put({ ...alertOf(20_000 + index, Date.now()), severity: "down" }, "opened");
    await page.locator(`${ROWS}[aria-rowindex="630"][data-id="${watched}"]`).waitFor();
    const after = await rowsInSight(page);
    expect(after.places[watched as string]).toBe(before.places[watched as string]);
  });

  test("a selection is acted on as a whole and can be taken back", async () => {
    const server = await mock();
    for (let index = 0; index < 50; index++) server.put(newAlertOf(index, Date.now()));
    const page = await open(`${server.url}${ALL_OPEN}`);
    await page.getByTestId("count-open").filter({ hasText: "50" }).waitFor();
    await page.getByTestId("select").nth(1).click();
    await page.keyboard.down("Shift");
    await page.getByTestId("select").nth(4).click();
    await page.keyboard.up("Shift");
    await page.getByTestId("selected-count").filter({ hasText: "4 selected" }).waitFor();
    await page.keyboard.press("s");
    await page.getByTestId("snooze-dialog").getByText("4h", { exact: true }).click();
    await page.getByTestId("sticky-output").check();
    await page.getByTestId("submit").click();
    await page.getByTestId("toast").filter({ hasText: "Snoozed 4 alerts" }).waitFor();
    const snoozed = [...server.alerts.values()].filter((alert) => alert.operator_state === "snoozed");
    expect(snoozed).toHaveLength(4);
    for (const { snooze } of snoozed) {
      expect(snooze).toMatchObject({ by: "Ada", sticky_output: true, sticky_severity: false });
      const hours = (Date.parse(snooze?.until ?? "") - Date.now()) / 3_600_000;
      expect(hours).toBeGreaterThan(3.9);
      expect(hours).toBeLessThanOrEqual(4);
    }
    await page.getByTestId("toast-action").click();
    await page.getByTestId("toast").filter({ hasText: "Undone for 4 alerts" }).waitFor();
    expect([...server.alerts.values()].some((alert) => alert.operator_state === "snoozed")).toBe(false);
  });

  test("a broken line is said clearly, and the console comes back with its cursor and what it missed", async () => {
    const server = await mock({ alerts: 30, beatMs: 200 });
    const page = await open(`${server.url}${ALL_OPEN}`);
    await live(page);
    await page.getByTestId("count-open").filter({ hasText: "30" }).waitFor();
    server.staleMs = 90_000;
    await page.getByTestId("stale-banner").filter({ hasText: "view has heard nothing for 1m" }).waitFor();
    server.staleMs = undefined;
    await page.getByTestId("stale-banner").waitFor({ state: "detached" });

    server.silent = true;
    await page.getByTestId("stale-banner").filter({ hasText: "Nothing was heard from the server" }).waitFor();
    server.silent = false;
    const missed = server.put({ ...alertOf(900, Date.now()), name: "Missed meanwhile" }, "opened");
    server.dropAll();
    await live(page);
    await page.locator(`${ROWS}[data-id="${missed.fingerprint}"]`).waitFor({ state: "attached" });
    await page.getByTestId("stale-banner").waitFor({ state: "detached" });
    expect(server.hellos.at(-1)?.cursor).toBeDefined();
  });

  test("a filter goes to the server, into the address and to another window; a wrong one is said", async () => {
    const server = await mock({ alerts: 200 });
    const page = await open(`${server.url}${ALL_OPEN}`);
    await live(page);
    await page.getByTestId("filter").fill('team="pay"');
    await page.getByTestId("severity-critical").click();
    const wanted = [...server.alerts.values()].filter(
      (alert) => alert.labels?.team === "pay" && alert.severity === "critical",
    );
    await page.getByTestId("count-open").getByText(String(wanted.length), { exact: true }).waitFor();
    expect(server.hellos.at(-1)?.filter).toEqual({ matchers: ['team="pay"'] });

    const other = await open(page.url());
    await other.getByTestId("count-open").getByText(String(wanted.length), { exact: true }).waitFor();
    expect(await other.getByTestId("filter").inputValue()).toBe('team="pay"');

    await page.getByTestId("filter").fill('team=~"pay("');
    await page.getByTestId("filter-problem").filter({ hasText: "Not applied. matchers: Invalid regular" }).waitFor();
    await page.getByTestId("filter").fill('team="pay');
    await page.getByTestId("filter-problem").filter({ hasText: "is not closed" }).waitFor();
    await page.getByTestId("filter").fill("");
    await page.getByTestId("filter-problem").waitFor({ state: "hidden" });
  });

  test("what is typed while the filter is being applied stays in the box", async () => {
    const server = await mock({ alerts: 20 });
    const page = await open(`${server.url}${ALL_OPEN}`);
    await live(page);
    await page.getByTestId("filter").evaluate(async (element) => {
      const box = element as HTMLInputElement;
      const type = (text: string) => {
        box.value = text;
        box.dispatchEvent(new Event("input", { bubbles: true }));
      };
      type("pay");
      // A timer of the same length as that of the box comes right after it, and before the next paint.
      await new Promise((resolve) => setTimeout(resolve, 250));
      type("payment");
    });
    await page.waitForURL(/q=payment/);
    expect(await page.getByTestId("filter").inputValue()).toBe("payment");
    await page.goto(`${server.url}/#q=billing`);
    await expect.poll(() => page.getByTestId("filter").inputValue()).toBe("billing");
  });

  test("what strangers wrote is shown as text, and their links open only what is safe", async () => {
    const server = await mock();
    const page = await open(`${server.url}${ALL_OPEN}`);
    await live(page);
    const hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    server.put({
      ...newAlertOf(1, Date.now()),
      name: hostile,
      output: hostile,
      labels: { [hostile]: hostile },
      annotations: { [hostile]: `${hostile}\nsecond line` },
      links: { Bad: "javascript:document.title=3", Good: "https://example.org/" },
    });
    await page.locator(ROWS).click();
    await page.getByTestId("output").filter({ hasText: hostile }).waitFor();
    await page.getByTestId("tab-labels").click();
    const details = page.getByTestId("details");
    const annotations = await details.getByTestId("annotations").innerText();
    expect(annotations).toContain(`${hostile}\nsecond line`);
    expect(await details.locator("a").count()).toBe(1);
    expect(await details.locator("a").getAttribute("rel")).toContain("noopener");
    expect(await page.locator("main img, aside img, main script").count()).toBe(0);
    expect(await page.title()).toContain("1 to attend to");
  });

  test("a server with a token asks for it once", async () => {
    const server = await mock({ alerts: 3, token: "sesame" });
    const page = await open(`${server.url}${ALL_OPEN}`);
    await page.locator("input[name=token]").fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByTestId("dialog-problem").filter({ hasText: "That is not the access token." }).waitFor();
    await page.locator("input[name=token]").fill("sesame");
    await page.keyboard.press("Enter");
    await live(page);
    await page.reload();
    await live(page);
    await page.getByTestId("count-open").filter({ hasText: "3" }).waitFor();
    expect(await page.getByTestId("token-dialog").count()).toBe(0);
  });

  test("closed alerts can be read, page by page, and opened again", async () => {
    const server = await mock({ alerts: 260 });
    for (const alert of [...server.alerts.values()].slice(0, 230)) server.close(alert.fingerprint);
    const page = await open(`${server.url}${ALL_OPEN}`);
    await live(page);
    await page.getByTestId("list-closed").click();
    await page.getByTestId("toolbar").filter({ hasText: "200 alerts" }).waitFor();
    await page.getByTestId("toolbar").getByText("Read older ones").click();
    await page.getByTestId("toolbar").filter({ hasText: "230 alerts" }).waitFor();
    const last = server.put(newAlertOf(5000, Date.now()), "opened");
    server.close(last.fingerprint);
    await page.getByTestId("list-open").click();
    await page.getByTestId("list-closed").click();
    await page.locator(`${ROWS}[aria-rowindex="2"][data-id="${last.fingerprint}"]`).click();
    await page.getByTestId("reopen").click();
    await page.getByTestId("toast").filter({ hasText: "Reopened 1 alert" }).waitFor();
    await page.getByTestId("toolbar").filter({ hasText: "199 alerts" }).waitFor();
    const pay = [...server.alerts.values()].filter(
      (alert) => alert.status === "closed" && alert.labels?.team === "pay",
    ).length;
    await page.getByTestId("close-details").click();
    await page.getByTestId("filter").fill('team="pay"');
    await page.getByTestId("toolbar").getByText(`${pay} alerts`, { exact: true }).waitFor();
    await page.getByTestId("filter").fill("");
    await page.getByTestId("list-open").click();
    await page.getByTestId("count-open").filter({ hasText: "31" }).waitFor();
  });
});
