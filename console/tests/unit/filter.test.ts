import { describe, expect, test } from "vitest";
import {
  afterClick,
  type Facets,
  NO_FACETS,
  passing,
  type Subject,
  stateOf,
  Tally,
} from "../../src/pages/alerts/facets";
import { matcherFor, parseQuery, toClosedFilter, toFilter, withMatcher } from "../../src/pages/alerts/filter";
import { commonMatchers, matchedValue } from "../../src/pages/alerts/matchers";
import { silencesOf } from "../../src/pages/alerts/silenced";
import type { Matcher, OperatorState, Severity, Silence } from "../../src/protocol";
import { alertOf } from "../sample-alerts";

const read = (input: string) => {
  const parsed = parseQuery(input);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.query;
};

describe("the filter box", () => {
  test.each([
    ["", [], ""],
    ["disk full", [], "disk full"],
    ['team="pay"', ['team="pay"'], ""],
    ["env!=dev", ['env!="dev"'], ""],
    ['host=~"web-.*" disk job!~"x|y" full', ['host=~"web-.*"', 'job!~"x|y"'], "disk full"],
    ['{team="pay", env!="dev"}', ['team="pay"', 'env!="dev"'], ""],
    ["team=pay,env=dev", ['team="pay"', 'env="dev"'], ""],
    ['owner=""', ['owner=""'], ""],
    ["owner=", ['owner=""'], ""],
    ['name="say \\"hi\\" now"', ['name="say \\"hi\\" now"'], ""],
    ['host=~"web\\.example"', ['host=~"web\\\\.example"'], ""],
    ["host=~web-\\d+", ['host=~"web-\\\\d+"'], ""],
    ['"p99 = 2 s" gateway', [], "p99 = 2 s gateway"],
    ["5xx rate, 7 %", [], "5xx rate, 7 %"],
  ])("reads %s", (input, matchers, text) => {
    expect(read(input)).toEqual({ matchers, text });
  });

  test("says what is wrong with a text it cannot read", () => {
    expect(parseQuery('team="pay')).toEqual({ ok: false, message: 'A quotation mark (") is not closed.' });
    expect(parseQuery('team = "pay"')).toMatchObject({ ok: false, message: expect.stringContaining('team="value"') });
  });

  test("gets one more matcher from a label that is clicked, but not twice", () => {
    const matcher = matcherFor("path", 'C:\\"x"');
    expect(read(matcher).matchers).toEqual([matcher]);
    const once = withMatcher("disk", matcher);
    expect(read(once)).toEqual({ matchers: [matcher], text: "disk" });
    expect(withMatcher(once, matcher)).toBe(once);
  });

  test.each(["host name", 'a"b', "größe", "1st", "a,b"])("takes the label %s, in quotation marks", (name) => {
    const matcher = matcherFor(name, "x y");
    expect(matcher).toBe(`${JSON.stringify(name)}="x y"`);
    expect(read(`disk ${matcher}`)).toEqual({ matchers: [matcher], text: "disk" });
  });

  test("asks the server only for what is asked; of closed alerts the facets too", () => {
    expect(toFilter({ matchers: [], text: "" })).toEqual({});
    expect(toFilter({ matchers: ['a="b"'], text: "x" })).toEqual({ matchers: ['a="b"'], text: "x" });
    const facets: Facets = {
      severity: { only: ["down"], not: [] },
      state: { only: ["active"], not: [] },
      environment: { only: ["prod"], not: ["lab"] },
    };
    expect(toClosedFilter(facets, { matchers: ['a="b"'], text: "x" })).toEqual({
      environments: ["prod"],
      severities: ["down"],
      matchers: ['a="b"', 'environment!="lab"'],
      text: "x",
    });
  });
});

describe("the facets", () => {
  const alert = (severity: Severity, operator_state: OperatorState, environment: string): Subject => ({
    alert: { ...alertOf(0, 0), severity, operator_state, environment },
    isSilenced: false,
  });
  const tally = new Tally();
  for (const one of [
    alert("critical", "active", "prod"),
    alert("critical", "acknowledged", "prod"),
    alert("warning", "active", "lab"),
  ])
    tally.add(one, 1);

  test("count what each value would show: all but the facet itself", () => {
    const critical: Facets = { ...NO_FACETS, severity: { only: ["critical"], not: [] } };
    expect(tally.counts("severity", "open", critical)).toEqual({ critical: 2, warning: 1 });
    expect(tally.counts("environment", "open", critical)).toEqual({ prod: 2 });
    expect(tally.total("open", critical)).toBe(2);
    expect(tally.total("attention", critical)).toBe(1);
    expect(tally.total("open", { ...NO_FACETS, environment: { only: [], not: ["lab"] } })).toBe(2);
  });

  test("take an active alert that is silenced for that, and no other", () => {
    const one = { ...alert("critical", "active", "prod"), isSilenced: true };
    expect(stateOf(one)).toBe("silenced");
    expect(passing("attention", NO_FACETS)(one)).toBe(false);
    expect(passing("silenced", NO_FACETS)(one)).toBe(true);
    expect(stateOf({ ...alert("critical", "snoozed", "prod"), isSilenced: true })).toBe("snoozed");
  });

  test("forget what is taken away", () => {
    const one = alert("down", "active", "prod");
    tally.add(one, 1);
    tally.add(one, -1);
    expect(tally.total("open", NO_FACETS)).toBe(3);
  });

  test("choose, exclude and let go by clicks", () => {
    const chosen = afterClick({ only: [], not: [] }, "a", false);
    expect(chosen).toEqual({ only: ["a"], not: [] });
    expect(afterClick(chosen, "a", true)).toEqual({ only: [], not: ["a"] });
    expect(afterClick({ only: [], not: ["a"] }, "a", true)).toEqual({ only: [], not: [] });
  });
});

test("an alert is silenced by an active silence of which all matchers match", () => {
  const one = { ...alertOf(0, 0), name: "Disk full", environment: "prod", labels: { team: "pay" } };
  const silence = (matchers: Matcher[], state: Silence["state"] = "active") =>
    silencesOf([{ id: "s", matchers, state } as Silence])(one)?.id ?? null;
  const named: Matcher = { name: "alertname", operator: "=~", value: "(?i)disk.*" };
  expect(silence([named])).toBe("s");
  expect(silence([named, { name: "team", operator: "!=", value: "pay" }])).toBeNull();
  expect(silence([{ name: "alertname", operator: "=~", value: "Disk" }])).toBeNull();
  expect(silence([{ name: "rack", operator: "!~", value: "r1" }])).toBe("s");
  expect(silence([named], "expired")).toBeNull();
  expect(silence([{ ...named, value: "(" }])).toBeNull();
});

test("an empty label is an absent one: what is looked at is the field of the same name", () => {
  const one = { ...alertOf(0, 0), service: "billing", labels: { service: "", team: "" } };
  expect(matchedValue(one, "service")).toBe("billing");
  expect(matchedValue({ ...one, labels: { service: "web" } }, "service")).toBe("web");
  expect(matchedValue(one, "team")).toBe("");
  expect(matchedValue({ ...one, labels: {} }, "unheard-of")).toBe("");
});

test("the matchers of a silence are those that its alerts have in common", () => {
  const one = { ...alertOf(0, 0), environment: "prod", name: "Disk (full)", object: "a.b" };
  expect(commonMatchers([one])).toEqual([
    { name: "environment", operator: "=", value: "prod" },
    { name: "alertname", operator: "=", value: "Disk (full)" },
    { name: "object", operator: "=", value: "a.b" },
  ]);
  expect(commonMatchers([one, { ...one, object: "c" }])[2]).toEqual({
    name: "object",
    operator: "=~",
    value: "a\\.b|c",
  });
});
