import { describe, expect, test } from "vitest";
import { matcherFor, NO_CHOICE, parseQuery, toFilter, withMatcher } from "../../src/filter";

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

  test("asks the server only for what is asked", () => {
    expect(toFilter(NO_CHOICE, { matchers: [], text: "" })).toEqual({});
    expect(
      toFilter(
        { query: "", environments: ["prod"], states: ["active"], severities: ["down"] },
        { matchers: ['a="b"'], text: "x" },
      ),
    ).toEqual({ environments: ["prod"], states: ["active"], severities: ["down"], matchers: ['a="b"'], text: "x" });
  });
});
