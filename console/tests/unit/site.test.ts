import { describe, expect, test } from "vitest";
import { diffLines } from "../../src/kit/diff";
import { toYaml } from "../../src/kit/yaml";
import { documentOf, placeOf, variablesIn } from "../../src/pages/site/document";
import { entryLines } from "../../src/pages/site/Revision";
import type { Site } from "../../src/protocol";

const SITE: Site = {
  environments: [{ name: "production", number: 2 }],
  scenarios: [
    {
      name: "on-call",
      steps: [
        {
          id: "1",
          targets: [{ channel: "slack", destination: "#ops" }],
          delay_seconds: 300,
          minimum_severity: "warning",
        },
      ],
    },
    { name: "office hours", steps: [] },
  ],
  mappings: [
    {
      name: "shop",
      alert: { identity: ["item.id"], name: "item.title", status: "item.state" },
      states: { broken: "firing", bad: "firing", fine: "resolved" },
      severities: { p1: "urgent" },
    },
  ],
  heartbeats: [
    { name: "backup", integration: "cron", period_seconds: 60, grace_seconds: 0, severity: "critical" },
    { name: "sync", integration: "cron", period_seconds: 60, grace_seconds: 0, severity: "critical", by_client: {} },
  ],
  rules: [{ name: "noise", when: 'name.startsWith("Debug")', drop: "for no one" }],
};

test("a site becomes a document with the fields of a document, without what has keys and what clients have made", () => {
  expect(documentOf(SITE)).toBe(`environments:
  - name: production
    number: 2
scenarios:
  - name: on-call
    steps:
      - id: "1"
        targets:
          - channel: slack
            destination: "#ops"
        minimum_severity: warning
        delay: "300s"
  - name: "office hours"
    steps: []
mappings:
  - name: shop
    alert:
      identity:
        - "item.id"
      name: "item.title"
      status: "item.state"
    states:
      firing:
        - broken
        - bad
      resolved:
        - fine
    severities:
      urgent:
        - p1
heartbeats:
  - name: backup
    integration: cron
    severity: critical
    period: "60s"
    grace: "0s"
rules:
  - name: noise
    when: "name.startsWith(\\"Debug\\")"
    drop: "for no one"
`);
});

describe("YAML", () => {
  test("puts in quotation marks what would be taken for something else", () => {
    const values = ["no", "Null", "1e3", "2026-01-01", "a: b", "- x", "", "line\nbreak", "yes-man", "a_b"];
    expect(toYaml(values).trimEnd().split("\n")).toEqual([
      ...['- "no"', '- "Null"', '- "1e3"', '- "2026-01-01"', '- "a: b"', '- "- x"', '- ""', '- "line\\nbreak"'],
      ...["- yes-man", "- a_b"],
    ]);
  });

  test("writes what is empty in one line, and leaves out what is undefined", () => {
    expect(toYaml({ a: {}, b: [], c: undefined, d: null, e: [[1], { f: true }] })).toBe(
      "a: {}\nb: []\nd: null\ne:\n  - - 1\n  - f: true\n",
    );
  });
});

test("variables of a document are found with their places, but not in comments", () => {
  const found = variablesIn("bots:\n  - {token: ${A}, other: ${B_2}} # ${C}\n# ${D}\nname: ${not a name}");
  expect(found.map(({ line, column, message }) => [line, column, message.split(" ")[0]])).toEqual([
    [2, 13, "${A}"],
    [2, 26, "${B_2}"],
  ]);
});

test("a line and a column are a place in the text, and never beyond its end", () => {
  expect(placeOf("ab\ncde\nf", 2, 3)).toBe(5);
  expect(placeOf("ab\ncde\nf", 1, 1)).toBe(0);
  expect(placeOf("ab", 9, 9)).toBe(2);
});

test("a difference keeps the lines that both texts have, in order", () => {
  const marks = (before: string, after: string) =>
    diffLines([...before], [...after]).map(({ mark, text }) => `${mark}${text}`.trim());
  expect(marks("abcd", "axcde")).toEqual(["a", "-b", "+x", "c", "d", "+e"]);
  expect(marks("", "ab")).toEqual(["+a", "+b"]);
  expect(marks("ab", "")).toEqual(["-a", "-b"]);
});

test("an entry is found by its key, also one whose name has a slash, and all rules by theirs", () => {
  expect(entryLines(SITE, "environment/production")).toEqual(["name: production", "number: 2"]);
  expect(entryLines({ ...SITE, environments: [{ name: "a/b" }] }, "environment/a/b")).toEqual(['name: "a/b"']);
  expect(entryLines(SITE, "rules/all")[0]).toBe("- name: noise");
  expect(entryLines(SITE, "silence/0192")).toEqual([]);
  expect(entryLines(null, "scenario/on-call")).toEqual([]);
});
