/** All about one alert: its tabs, and the journey that follows it. */
import { expect, test } from "vitest";
import { ALL_OPEN, live, mock, open, ROWS, useBrowser } from "../harness";
import { historyOf, newAlertOf, upcomingOf } from "../sample-alerts";

useBrowser();

test("the journey shows how an alert was received, every attempt to deliver, and after now what is still to come", async () => {
  const server = await mock();
  const now = Date.now();
  const acknowledgement = { by: "Grace", at: new Date(now).toISOString(), comment: "Mine" };
  const alert = server.put({ ...newAlertOf(1, now), operator_state: "acknowledged", acknowledgement });
  server.history.set(alert.fingerprint, historyOf(alert, now));
  server.upcoming.set(alert.fingerprint, upcomingOf(alert, now));
  const page = await open(`${server.url}/alerts/${alert.fingerprint}`);
  await page.getByTestId("upcoming").nth(1).waitFor();
  const lines = page.getByTestId("journey").locator("ol > li");
  const kinds = await lines.evaluateAll((all) =>
    all.map((line) => (line as HTMLElement).dataset.kind ?? (line as HTMLElement).dataset.testid),
  );
  expect(kinds).toEqual([
    ...["opened", "notifying", "retrying", "notified", "updated", "acknowledged", "held_back"],
    ...["now", "upcoming", "upcoming"],
  ]);
  expect(await page.getByTestId("received").innerText()).toMatch(
    new RegExp(
      `received from ${alert.source} at [\\d: A-Za-z]+ with key 2026, changed by rule staging is never urgent`,
    ),
  );
  expect(await lines.nth(2).innerText()).toContain("503 Service Unavailable");
  expect(await lines.nth(3).innerText()).toContain("at attempt 2");
  expect(await lines.nth(6).getByTestId("reason").allInnerTexts()).toEqual(["held: acknowledgement"]);
  expect(await lines.nth(8).getByTestId("reason").allInnerTexts()).toEqual(["held: acknowledgement"]);
});

test("the journey follows its alert live, and reads what only receipts have changed after ten seconds", async () => {
  const server = await mock({ beatMs: 500 });
  const alert = server.put(newAlertOf(1, Date.now()), "opened");
  const page = await open(`${server.url}/alerts/${alert.fingerprint}`, "Ada", {}, (page) => page.clock.install());
  await live(page);
  const entries = page.getByTestId("history-entry");
  await expect.poll(() => entries.count()).toBe(1);
  server.put({ ...alert, output: "It is worse" }, "updated", undefined, "It is worse");
  await entries.nth(1).filter({ hasText: "It is worse" }).waitFor();

  server.happens(alert.fingerprint, {
    at: new Date().toISOString(),
    kind: "notified",
    message: "opening delivered to #ops-alerts",
    details: { actor: { type: "channel", channel: "slack" }, what: { type: "notified" } },
  });
  await page.clock.fastForward(11_000);
  await entries.nth(2).filter({ hasText: "opening delivered to #ops-alerts" }).waitFor();
});

test("a long journey begins with its newest lines, and shows the earlier ones on demand", async () => {
  const server = await mock();
  const alert = server.put(newAlertOf(1, Date.now()), "opened");
  for (let index = 2; index <= 60; index++) server.put(alert, "updated", undefined, `Output ${index}`);
  const page = await open(`${server.url}/alerts/${alert.fingerprint}`);
  const entries = page.getByTestId("history-entry");
  await entries.first().filter({ hasText: "Output 36" }).waitFor();
  await page.getByTestId("journey-earlier").filter({ hasText: "35 earlier lines" }).click();
  await expect.poll(() => entries.count()).toBe(60);
});

test("tabs are chosen by arrow keys and by brackets, stand in the address, and a link opens one", async () => {
  const server = await mock({ alerts: 5 });
  const { fingerprint } = server.put({ ...newAlertOf(700, Date.now()), severity: "ok" });
  const page = await open(`${server.url}/alerts/${fingerprint}?tab=history`);
  const chosen = () => page.locator("[role=tab][aria-selected=true]").innerText();
  await page.getByTestId("history").waitFor();
  expect(await chosen()).toBe("History");
  await page.getByTestId("tab-history").focus();
  await page.keyboard.press("ArrowRight");
  await page.getByTestId("notifications").waitFor();
  await page.waitForURL(`${server.url}/alerts/${fingerprint}?tab=notifications`);
  await page.keyboard.press("End");
  await page
    .getByTestId("raw")
    .filter({ hasText: `"fingerprint": "${fingerprint}"` })
    .waitFor();
  await page.keyboard.press("ArrowRight");
  await page.getByTestId("journey").waitFor();
  await page.waitForURL(`${server.url}/alerts/${fingerprint}`);
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("tab-journey");
  await page.keyboard.press("[");
  await expect.poll(chosen).toBe("Raw");
  await page.keyboard.press("]");
  await expect.poll(chosen).toBe("Journey");
  // Another alert is shown in the same tab.
  await page.keyboard.press("]");
  await page.keyboard.press("j");
  await expect.poll(() => page.url()).not.toContain(fingerprint);
  expect(page.url()).toMatch(/\/alerts\/[0-9a-f]{32}\?tab=history$/);
});

test("labels, fields, actors and sources go into the filter by a click, and values into the clipboard", async () => {
  const server = await mock();
  const now = Date.now();
  const alert = server.put({ ...newAlertOf(1, now), labels: { team: "pay" }, source: "prom-eu-1", object: "db-7" });
  server.history.set(alert.fingerprint, historyOf(alert, now));
  const page = await open(`${server.url}/alerts/${alert.fingerprint}`, "Ada", {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const filter = () => page.getByTestId("filter").inputValue();
  await page.getByTestId("received").getByText("prom-eu-1").click();
  await expect.poll(filter).toBe('source="prom-eu-1"');
  await page.getByTestId("history-entry").first().getByText(`integration ${alert.integration}`).click();
  await expect.poll(filter).toBe(`source="prom-eu-1" integration="${alert.integration}"`);
  await page.getByTestId("tab-labels").click();
  await page.getByTestId("only-label-team").click();
  await page.getByTestId("exclude-label-object").click();
  await expect.poll(filter).toContain('team="pay" object!="db-7"');
  await page.getByLabel("Copy team").click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("pay");
  await page.getByTestId("tab-journey").click();
  await page.getByLabel("Copy the journey as text").click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toContain("slack #ops-alerts is notified");
  expect(copied).toContain("--- now ---");
});

test("icons of channels are those that the server declares, also of a channel that the console has never heard of", async () => {
  const server = await mock();
  server.channels.push({ name: "pigeon", title: "Pigeon post", icon: "M1 2L3 4" });
  server.put({ ...newAlertOf(1, Date.now()), channels: ["pigeon", "slack"] });
  const page = await open(`${server.url}${ALL_OPEN}`);
  const paths = page.locator(`${ROWS} .channels path`);
  await expect
    .poll(() => paths.evaluateAll((all) => all.map((path) => path.getAttribute("d"))))
    .toEqual(["M1 2L3 4", server.channels.find(({ name }) => name === "slack")?.icon]);
});
