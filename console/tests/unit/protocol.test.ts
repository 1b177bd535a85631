import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** A folder for what the client says, and one for what the server says. */
const EXAMPLES = ["client", "server"].map((side) => join(ROOT, "../schemas/live", side, "examples"));
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/**
 * What the compiler says to frames written down as values of the protocol's types. As they are literals it tells of
 * missing, wrong and unknown fields alike.
 */
function complaints(frames: { name: string; frame: unknown }[]): string {
  const folder = mkdtempSync(join(ROOT, "node_modules/.frames-"));
  folders.push(folder);
  const lines = frames.map(({ name, frame }, index) => {
    const type = (frame as { type?: string }).type === "hello" ? "ClientMessage" : "ServerMessage";
    return `// ${name}\nexport const frame${index}: import("../../src/protocol").${type} = ${JSON.stringify(frame)};`;
  });
  writeFileSync(join(folder, "frames.ts"), lines.join("\n"));
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.json", include: ["frames.ts"] }),
  );
  try {
    execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder], { stdio: "pipe" });
    return "";
  } catch (error) {
    return String((error as { stdout: Buffer }).stdout);
  }
}

const ALERT = {
  fingerprint: "0123456789abcdef0123456789abcdef",
  version: 3,
  environment: "production",
  scenario: "on-call",
  integration: "prometheus",
  monitoring_system: "prometheus",
  source: "prom-1",
  object: "web-01",
  name: "DiskFull",
  severity: "critical",
  status: "open",
  operator_state: "in_downtime",
  output: "91 %",
  episode: 1,
  first_opened_at: "2026-03-01T12:00:00Z",
  opened_at: "2026-03-01T12:00:00Z",
  last_event_at: "2026-03-01T12:00:00Z",
  changed_at: "2026-03-01T12:00:00Z",
  total_duration_ms: 0,
  counts: { opened: 1, updated: 0, severity_changed: 0, closed: 0, acknowledged: 0, snoozed: 0 },
};
const DELTA = {
  type: "delta",
  cursor: "12",
  changed: [ALERT],
  removed: ["0123456789abcdef0123456789abcdef"],
  counters: { total: 1, by_severity: { critical: 1 }, by_state: {}, by_environment: {} },
};

describe("the types of the protocol", () => {
  test("take a frame as it is, and none with a field that is unknown, missing or of another kind", () => {
    expect(complaints([{ name: "good", frame: DELTA }])).toBe("");
    const { cursor: _, ...noCursor } = DELTA;
    const wrong = complaints([
      { name: "unknown", frame: { ...DELTA, sequence: 1 } },
      { name: "missing", frame: noCursor },
      { name: "kind", frame: { ...DELTA, changed: [{ ...ALERT, severity: "fatal" }] } },
    ]);
    expect(wrong).toContain("sequence");
    expect(wrong).toContain("cursor");
    expect(wrong).toContain("fatal");
  }, 30_000);

  test.skipIf(!EXAMPLES.every(existsSync))(
    "take the examples of the schemas",
    () => {
      const files = EXAMPLES.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
      const frames = files
        .filter((file) => file.endsWith(".json"))
        .map((file) => ({ name: file, frame: JSON.parse(readFileSync(file, "utf8")) as unknown }));
      expect(frames).not.toEqual([]);
      expect(complaints(frames)).toBe("");
    },
    30_000,
  );
});
