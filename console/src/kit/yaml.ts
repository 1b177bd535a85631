/** Plain data as YAML. */

/** A text that needs no quotation marks: no number, no word that YAML takes for something else. */
const PLAIN = /^(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z_][\w-]*$/i;

/** Lists and objects over several lines, texts in quotation marks where they need them. */
export function toYaml(value: unknown): string {
  return `${lines(value).join("\n")}\n`;
}

function lines(value: unknown): string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return ["[]"];
    return value.flatMap((item) => lines(item).map((line, index) => `${index === 0 ? "- " : "  "}${line}`));
  }
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).filter(([, of]) => of !== undefined);
    if (fields.length === 0) return ["{}"];
    return fields.flatMap(([name, of]) => field(name, of));
  }
  return [typeof value === "string" ? text(value) : JSON.stringify(value)];
}

function field(name: string, value: unknown): string[] {
  const below = lines(value);
  const isLong = typeof value === "object" && value !== null && Object.keys(value).length > 0;
  return isLong ? [`${text(name)}:`, ...below.map((line) => `  ${line}`)] : [`${text(name)}: ${below[0]}`];
}

/** What JSON writes in quotation marks is YAML too. */
function text(value: string): string {
  return PLAIN.test(value) ? value : JSON.stringify(value);
}
