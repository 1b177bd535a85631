/** The filter box: its text, and what it asks of the server. */
import type { Filter, Severity } from "../../protocol";
import { type Facets, NO_FACETS } from "./facets";

/** What is chosen: the text of the box, and what was clicked in the facets. */
export interface Choice {
  query: string;
  facets: Facets;
}

export const NO_CHOICE: Choice = { query: "", facets: NO_FACETS };

export interface Query {
  matchers: string[];
  text: string;
}

export type Parsed = { ok: true; query: Query } | { ok: false; message: string };

const MATCHER = /^(?:([A-Za-z_][\w.:/-]*)|"((?:[^"\\]|\\.)+)")(=~|!~|!=|=)(?:"((?:[^"\\]|\\.)*)"|([^\s",{}]*))$/s;
const PLAIN_NAME = /^[A-Za-z_][\w.:/-]*$/;

/**
 * Read the text of the box: `name="value"`, `name!=value`, `name=~"regex"` and `name!~regex` are matchers, all other
 * words are text to be found together. A name with odd characters stands in quotation marks. Braces and commas around matchers are let through, so that a selector of
 * Alertmanager can be pasted.
 */
export function parseQuery(input: string): Parsed {
  const tokens = tokenize(input);
  if (tokens === null) return { ok: false, message: 'A quotation mark (") is not closed.' };
  const matchers: string[] = [];
  const words: string[] = [];
  for (const token of tokens) {
    const bare = unbrace(token);
    const match = MATCHER.exec(bare);
    if (match) {
      const [, plain, quotedName = "", operator, quoted, bareValue = ""] = match;
      const name = plain ?? quoteName(unquote(quotedName));
      matchers.push(`${name}${operator}${quote(quoted === undefined ? bareValue : unquote(quoted))}`);
    } else if (/^(=~|!~|!=|=)/.test(bare) && words.length > 0)
      return { ok: false, message: `Write matchers without spaces, as in ${words.at(-1)}="value".` };
    else if (token.startsWith('"') && token.endsWith('"') && token.length > 1) words.push(unquote(token.slice(1, -1)));
    else if (token !== "" && token !== "{" && token !== "}" && token !== ",") words.push(token);
  }
  return { ok: true, query: { matchers, text: words.join(" ") } };
}

/** Words at spaces and at commas between matchers, but not inside quotation marks; null when one is not closed. */
function tokenize(input: string): string[] | null {
  const tokens: string[] = [];
  let token = "";
  let quoted = false;
  for (let i = 0; i < input.length; i++) {
    const character = input[i] as string;
    if (quoted) {
      token += character;
      if (character === "\\" && i + 1 < input.length) token += input[++i];
      else if (character === '"') quoted = false;
    } else if (character === '"') {
      quoted = true;
      token += character;
    } else if (/\s/.test(character)) {
      if (token) tokens.push(token);
      token = "";
    } else if (character === "," && MATCHER.test(unbrace(token))) {
      tokens.push(token);
      token = "";
    } else token += character;
  }
  if (quoted) return null;
  if (token) tokens.push(token);
  return tokens;
}

function unbrace(token: string): string {
  return token.replace(/^\{/, "").replace(/[,}]+$/, "");
}

/** The text between quotation marks; as in Alertmanager a backslash before any other character means itself. */
function unquote(text: string): string {
  return text.replace(/\\([n"\\])/g, (_, character: string) => (character === "n" ? "\n" : character));
}

function quote(text: string): string {
  return `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
}

/** A matcher for one label, as it is written in the box. */
export function matcherFor(name: string, value: string, operator: "=" | "!=" = "="): string {
  return `${quoteName(name)}${operator}${quote(value)}`;
}

function quoteName(name: string): string {
  return PLAIN_NAME.test(name) ? name : quote(name);
}

/** The text of the box with one more matcher; unchanged when it is there already. */
export function withMatcher(query: string, matcher: string): string {
  const parsed = parseQuery(query);
  if (parsed.ok && parsed.query.matchers.includes(matcher)) return query;
  return `${query.trim()} ${matcher}`.trim();
}

/** What is asked of the server for the open alerts; their facets are looked at by the console. */
export function toFilter(query: Query): Filter {
  const filter: Filter = {};
  if (query.matchers.length) filter.matchers = query.matchers;
  if (query.text) filter.text = query.text;
  return filter;
}

/** What is asked for the closed alerts, which come page by page: the server looks at the facets too. */
export function toClosedFilter(facets: Facets, query: Query): Filter {
  const filter = toFilter(query);
  const { severity, environment } = facets;
  if (severity.only.length) filter.severities = severity.only as Severity[];
  if (environment.only.length) filter.environments = [...environment.only];
  const excluded = [
    ...severity.not.map((value) => matcherFor("severity", value, "!=")),
    ...environment.not.map((value) => matcherFor("environment", value, "!=")),
  ];
  if (excluded.length) filter.matchers = [...(filter.matchers ?? []), ...excluded];
  return filter;
}
