/** The pages beside the alerts. */
import { expect, test } from "vitest";
import { ALL_OPEN, live, mock, open, useBrowser } from "../harness";
import { HEARTBEATS, integrationsOf, missedOf, newAlertOf, rejectedOf, revisionsOf } from "../sample-alerts";

useBrowser();

test("a silence is made from a selection, with a preview, and is changed and ended on its page", async () => {
  const server = await mock();
  const common = { environment: "production", name: "Disk (full)", severity: "critical" as const };
  for (const [index, object] of ["db-1", "db-2", "db-3"].entries())
    server.put({ ...newAlertOf(index, Date.now()), ...common, object });
  const page = await open(`${server.url}${ALL_OPEN}`);
  await page.getByTestId("count-open").filter({ hasText: "3" }).waitFor();
  await page.getByTestId("select").nth(0).click();
  await page.getByTestId("select").nth(1).click();
  await page.getByTestId("do-silence").click();
  const preview = page.getByTestId("preview");
  await preview.filter({ hasText: "Matches 2 open alerts now" }).waitFor();
  // Without the object the third one matches too.
  await page.getByTestId("matcher").nth(2).getByLabel("Remove the matcher").click();
  await preview.filter({ hasText: "Matches 3 open alerts now" }).waitFor();
  await page.locator("textarea[name=comment]").fill("The disks are being replaced");
  await page.getByTestId("submit").click();
  await page.getByTestId("toast").filter({ hasText: "Silenced until" }).waitFor();
  expect(server.silences[0]).toMatchObject({
    created_by: "Ada",
    comment: "The disks are being replaced",
    matchers: [
      { name: "environment", operator: "=", value: "production" },
      { name: "alertname", operator: "=", value: "Disk (full)" },
    ],
  });

  await page.getByTestId("page-silences").click();
  const row = page.getByTestId("silences-row");
  await row.filter({ hasText: 'alertname="Disk (full)"' }).waitFor();
  await row.getByTestId("edit").click();
  await page.locator("textarea[name=comment]").fill("They take longer");
  await page.getByTestId("submit").click();
  await row.filter({ hasText: "They take longer" }).waitFor();
  await row.getByTestId("expire").click();
  await row.filter({ hasText: "expired" }).waitFor();
  expect(server.silences).toHaveLength(1);
  expect(server.silences[0]?.state).toBe("expired");
});

test("a silence that the server refuses says which field", async () => {
  const server = await mock();
  const page = await open(`${server.url}/silences`);
  await page.getByTestId("new-silence").click();
  await page.locator("textarea[name=comment]").fill("why not");
  await page.getByTestId("submit").click();
  await page.getByTestId("dialog-problem").filter({ hasText: "matchers: one at least" }).waitFor();
});

test("integrations show when they were last seen, what was refused, and the line that sends to them", async () => {
  const server = await mock();
  server.integrations = integrationsOf(Date.now());
  const page = await open(`${server.url}/integrations`);
  await live(page);
  const row = (name: string) => page.locator(`[data-testid=integrations-row][data-id="${name}"]`);
  await row("prometheus-production").filter({ hasText: "18,204 (54,612 alerts)" }).waitFor();
  expect(await row("statuspage").innerText()).toContain("never");
  expect(await row("zabbix-production").innerText()).toMatch(/4 malformed\s.*"5" is not a severity/);
  await row("zabbix-production").getByTestId("curl").click();
  const line = await page.getByTestId("copy-text").innerText();
  expect(line).toContain(`curl -X POST '${server.url}/monitoring-system/zabbix'`);
});

test("a rejected body is read and posted again with its headers, its voucher and a key", async () => {
  const server = await mock();
  server.rejected = rejectedOf(Date.now());
  const page = await open(`${server.url}/rejected`);
  const row = page.getByTestId("rejected-row");
  await row.filter({ hasText: "is not a severity" }).getByTestId("read-body").click();
  expect(await page.getByTestId("body-text").innerText()).toContain('"alert_name":"Fan 2 failed"');
  await page.getByTestId("replay").click();
  await page.locator("input[name=key]").fill("secret-key");
  await page.getByTestId("submit").click();
  await page.getByTestId("toast").filter({ hasText: "Accepted" }).waitFor();
  expect(server.posted[0]).toMatchObject({
    path: "/monitoring-system/zabbix",
    headers: { "content-type": "application/json", "x-integration-key": "secret-key", "reveille-voucher": "proof" },
    body: '{"alert_name":"Fan 2 failed","severity":"5"}',
  });
  await row.filter({ hasText: "dropped by a rule" }).getByTestId("read-body").click();
  await page.getByTestId("rejected-body").filter({ hasText: "change the rule" }).waitFor();
  expect(await page.getByTestId("replay").count()).toBe(0);
});

test("a dialog is left by a press beside it, but not by a text that is selected beyond its edge", async () => {
  const server = await mock();
  const page = await open(`${server.url}/silences`);
  await page.getByTestId("new-silence").click();
  const comment = page.locator("textarea[name=comment]");
  await comment.fill("work in the data centre");
  const box = await comment.boundingBox();
  if (!box) throw new Error("The form has no box for the reason.");
  await page.mouse.move(box.x + 20, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(8, box.y + 20, { steps: 3 });
  await page.mouse.up();
  await page.getByTestId("silence-form").waitFor();
  await page.mouse.click(8, 400);
  await page.getByTestId("silence-form").waitFor({ state: "detached" });
});

test("the wall board shows the worst of what needs attention, follows it without input, and says when it is old", async () => {
  const server = await mock({ beatMs: 200 });
  server.put({ ...newAlertOf(1, Date.now()), severity: "warning", environment: "production", name: "Disk" });
  server.put({ ...newAlertOf(2, Date.now()), severity: "down", environment: "office", name: "Printer" });
  const page = await open(`${server.url}/wall?environment=production`);
  const rows = page.getByTestId("wall-row");
  await rows.filter({ hasText: "Disk" }).waitFor();
  expect(await rows.count()).toBe(1);
  server.put({ ...newAlertOf(3, Date.now()), severity: "urgent", environment: "production", name: "Login" });
  await rows.nth(1).waitFor();
  expect((await rows.allInnerTexts()).map((text) => /Disk|Login/.exec(text)?.[0])).toEqual(["Login", "Disk"]);
  await page.getByRole("heading", { name: "2 to attend to" }).waitFor();
  server.down = true;
  server.dropAll();
  await page
    .getByTestId("wall-stale")
    .filter({ hasText: /Unknown since .*\d\d:\d\d/ })
    .waitFor();
});

test("heartbeats say which of them are missed, when they were last called, and the line that calls one", async () => {
  const server = await mock();
  server.heartbeats = HEARTBEATS;
  const [backup, watchdog] = HEARTBEATS.map((heartbeat, index) => missedOf(heartbeat, index, Date.now()));
  if (!backup || !watchdog) throw new Error("There are no heartbeats.");
  server.put(watchdog, "opened");
  server.close(server.put({ ...backup, last_event_at: new Date(Date.now() - 600_000).toISOString() }).fingerprint);
  const page = await open(`${server.url}/heartbeats`);
  const row = page.getByTestId("heartbeats-row");
  await row.nth(2).waitFor();
  const texts = await row.allInnerTexts();
  expect(texts[0]).toMatch(/^missed\s+prometheus-main\s+prometheus-production\s+5m and 1m later at most/);
  expect(texts[1]).toMatch(/^called again\s+nightly-backup\s[\s\S]*10m ago/);
  expect(texts[2]).toMatch(/^disabled\s+sync/);
  await row.nth(1).getByTestId("curl").click();
  expect(await page.getByTestId("copy-text").innerText()).toContain(`'${server.url}/heartbeat/nightly-backup'`);
  await page.keyboard.press("Escape");
  await row.nth(0).getByRole("link", { name: "missed" }).click();
  await page.getByTestId("details-name").filter({ hasText: "Heartbeat missed" }).waitFor();
});

test("a site document is checked before it is applied: its mistakes lead to their places, and its changes are listed", async () => {
  const server = await mock();
  const page = await open(`${server.url}/site`);
  const box = page.getByTestId("site-text");
  await box.fill("environments:\n  - nam: x\nbots: [${TOKEN}]\n");
  await page.getByTestId("dry-run").click();
  const problem = page.getByTestId("site-problem");
  await problem.filter({ hasText: "3:8 ${TOKEN} is replaced by `reveille apply` only" }).waitFor();
  expect(server.documents).toEqual([]);

  await box.fill("environments:\n  - nam: x\n");
  server.answerToSite.problems = [
    { line: 2, column: 5, message: "unknown field `nam`", remedy: 'did you mean "name"?' },
  ];
  await box.press("Control+Enter");
  await problem.filter({ hasText: '2:5 unknown field `nam` (did you mean "name"?)' }).waitFor();
  expect(await page.getByTestId("apply").isDisabled()).toBe(true);
  await problem.getByRole("button").click();
  expect(await box.evaluate((element) => (element as HTMLTextAreaElement).selectionStart)).toBe(18);

  server.answerToSite = {
    problems: [],
    changes: [
      { change: "add", key: "environment/x" },
      { change: "change", key: "scenario/on-call", fields: ["steps"] },
    ],
  };
  await page.keyboard.type("-");
  await page.keyboard.press("Control+Enter");
  const change = page.getByTestId("site-change");
  await change.nth(1).filter({ hasText: "change scenario/on-call: steps" }).waitFor();
  expect(server.documents.at(-1)).toEqual({ document: "environments:\n  - -nam: x\n", isDryRun: true });
  // What was not tried cannot be applied.
  await page.keyboard.type("-");
  await change.first().waitFor({ state: "detached" });
  expect(await page.getByTestId("apply").isDisabled()).toBe(true);
  await page.keyboard.press("Control+Enter");
  await page.getByTestId("apply").filter({ hasText: "Apply 2 changes" }).click();
  await page.getByTestId("toast").filter({ hasText: "Applied as revision 1" }).waitFor();
  expect(server.documents.at(-1)?.isDryRun).toBe(false);
  await page.getByTestId("revisions-row").filter({ hasText: "anonymous" }).waitFor();
});

test("revisions say who changed what and how, and one is taken as the document to go back to", async () => {
  const server = await mock();
  server.revisions.push(...revisionsOf(Date.now()));
  server.answerToSite.changes = [{ change: "change", key: "scenario/office hours", fields: ["steps"] }];
  const page = await open(`${server.url}/site`);
  const row = page.getByTestId("revisions-row");
  await row.nth(1).waitFor();
  expect((await row.allInnerTexts()).map((text) => text.split(/\s+/).slice(0, 2))).toEqual([
    ["2", "5m"],
    ["1", "10h"],
  ]);
  await row.first().getByTestId("read-revision").click();
  const entry = page.getByTestId("entry-change");
  await entry.filter({ hasText: "change scenario/office hours" }).waitFor();
  expect(await entry.locator(".removed").allInnerTexts()).toEqual(["- steps: []\n"]);
  expect(await entry.locator(".added").first().innerText()).toBe("+ steps:\n");
  await page.keyboard.press("Escape");
  await page.getByTestId("site-text").fill("rules: []\n");
  await row.nth(1).getByTestId("restore").click();
  await page.getByTestId("apply").filter({ hasText: "Apply 1 change" }).waitFor();
  const document = await page.getByTestId("site-text").inputValue();
  expect(document).toContain('scenarios:\n  - name: "office hours"\n    steps: []\n');
  expect(document).not.toContain("integrations:");
  expect(server.documents).toEqual([{ document, isDryRun: true }]);
  await page.getByTestId("toast-action").click();
  expect(await page.getByTestId("site-text").inputValue()).toBe("rules: []\n");
  expect(await page.getByTestId("apply").isDisabled()).toBe(true);
});
