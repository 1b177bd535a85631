/** The shell: addresses, Back, the focus, and the palette. */
import { expect, test } from "vitest";
import { ALL_OPEN, live, mock, open, ROWS, useBrowser } from "../harness";
import { newAlertOf } from "../sample-alerts";

useBrowser();

test("pages have addresses, Back leads through them, and the focus goes where the reader went", async () => {
  const server = await mock({ alerts: 12 });
  const page = await open(`${server.url}${ALL_OPEN}`);
  await live(page);
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.slice(0, 40) ?? "");
  await page.getByTestId("page-silences").click();
  await page.getByRole("heading", { name: "Silences" }).waitFor();
  await expect.poll(focused).toBe("Silences");
  await page.getByTestId("page-rejected").click();
  await page.waitForURL(/\/rejected$/);
  await page.goBack();
  await page.getByRole("heading", { name: "Silences" }).waitFor();
  await page.goBack();
  await page.locator(ROWS).first().waitFor();
  expect(page.url()).toBe(`${server.url}${ALL_OPEN}`);
  await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe("alerts");

  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/alerts\/[0-9a-f]{32}\?list=open/);
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("data-testid"))).toBe("details");
  await page.keyboard.press("Escape");
  await page.getByTestId("details").waitFor({ state: "detached" });
  await page.waitForURL(`${server.url}${ALL_OPEN}`);
  await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe("alerts");
});

test("an address opens what it names, and so does a link of an older message", async () => {
  const server = await mock();
  const { fingerprint } = server.put({ ...newAlertOf(1, Date.now()), name: "The one that is linked" });
  for (const path of [`/alerts/${fingerprint}`, `/#alert=${fingerprint}`]) {
    const page = await open(`${server.url}${path}`);
    await page.getByTestId("details-name").filter({ hasText: "The one that is linked" }).waitFor();
    expect(page.url()).toBe(`${server.url}/alerts/${fingerprint}`);
  }
  const page = await open(`${server.url}/#q=web&severity=critical`);
  await page.waitForURL(/\/alerts\?q=web&severity=critical/);
});

test("a session without a mouse: find, open, acknowledge, comment, silence, undo, another page and back", async () => {
  const server = await mock({ alerts: 60 });
  const { fingerprint } = server.put({ ...newAlertOf(500, Date.now()), name: "Unicorn down", object: "stable-7" });
  const page = await open(server.url);
  await live(page);
  let keys = 0;
  const press = async (...names: string[]) => {
    for (const name of names) {
      await page.keyboard.press(name);
      keys++;
    }
  };
  const type = (text: string) => press(...[...text].map((letter) => (letter === " " ? "Space" : letter)));
  await press("/");
  await type("uni");
  await press("Enter");
  await expect.poll(() => page.locator(ROWS).count()).toBe(1);
  await press("Escape", "j", "Enter");
  await page.getByTestId("details-name").filter({ hasText: "Unicorn down" }).waitFor();
  await press("a");
  await page.getByTestId("toast").filter({ hasText: "Acknowledged" }).waitFor();
  await press("c");
  await page.getByTestId("comment-dialog").waitFor();
  await type("hm");
  await press("Enter");
  await page.getByTestId("toast").filter({ hasText: "Commented" }).waitFor();
  await press("u");
  await page.getByTestId("toast").filter({ hasText: "Undone" }).waitFor();
  await press("m");
  await page.getByTestId("silence-form").waitFor();
  await type("ok");
  await press("Tab", "Tab", "Enter");
  await page.getByTestId("toast").filter({ hasText: "Silenced until" }).waitFor();
  await press("Control+k");
  await page.getByTestId("palette").waitFor();
  await type("silences");
  await press("Enter");
  await page.waitForURL(/\/silences$/);
  await page.getByTestId("silences-row").waitFor();
  await page.goBack();
  keys++;
  await page.waitForURL(new RegExp(`/alerts/${fingerprint}`));
  expect(server.alerts.get(fingerprint)).toMatchObject({ operator_state: "acknowledged" });
  expect(server.alerts.get(fingerprint)?.comment).toBeUndefined();
  expect(server.silences[0]?.matchers).toContainEqual({ name: "object", operator: "=", value: "stable-7" });
  expect(keys).toBeLessThan(40);
});

test("the palette finds commands by a part of their names, and the help shows the keys of the same table", async () => {
  const server = await mock({ alerts: 5 });
  const page = await open(server.url);
  await live(page);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("integr");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/integrations$/);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("acknowledge");
  await page.getByText("No command has").waitFor();
  await page.keyboard.press("Escape");
  await page.getByTestId("palette").waitFor({ state: "detached" });
  await page.getByTestId("page-alerts").click();
  await page.locator(ROWS).first().waitFor();
  await page.keyboard.press("?");
  const help = await page.getByTestId("help").innerText();
  for (const words of ["Acknowledge with a comment", "Snooze", "Filter", "next alert"]) expect(help).toContain(words);
});

test("times are shown and typed in UTC when that is chosen", async () => {
  const server = await mock();
  const opened_at = "2026-03-01T23:45:06Z";
  const { fingerprint } = server.put({ ...newAlertOf(1, Date.now()), opened_at });
  const page = await open(`${server.url}/alerts/${fingerprint}?tab=labels`, "Ada", { timezoneId: "Asia/Kathmandu" });
  const opened = page.locator(`time[datetime="${opened_at}"]`).filter({ hasText: ":06" });
  expect(await opened.innerText()).toContain("2 Mar");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("utc");
  await page.keyboard.press("Enter");
  await opened.filter({ hasText: "1 Mar" }).filter({ hasText: "23:45:06 UTC" }).waitFor();

  await page.getByTestId("details-snooze").click();
  await page.getByText("until…").click();
  await page.getByLabel("Until UTC").fill("2099-12-31T23:00");
  await page.getByTestId("submit").click();
  await page.getByTestId("toast").filter({ hasText: "Snoozed 1 alert" }).waitFor();
  const until = Date.parse(server.alerts.get(fingerprint)?.snooze?.until ?? "");
  // The end is by the server's clock, which is not exactly the browser's.
  expect(Math.abs(until - Date.parse("2099-12-31T23:00:00Z"))).toBeLessThan(60_000);
});
