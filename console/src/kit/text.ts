/** Longer texts of one line are cut: what is shown of an alert stays readable, however long its name is. */
export const CUT_AT = 160;

export function cut(text: string, at = CUT_AT): string {
  return text.length > at ? `${text.slice(0, at)}…` : text;
}
