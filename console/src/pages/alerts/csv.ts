/** The shown list as a file for a spreadsheet. */

import type { Alert } from "../../protocol";
import { type ColumnId, textOf, titleOf } from "./columns";

/** Lines by RFC 4180, with the id and the output after the columns that are shown. */
export function toCsv(alerts: readonly Alert[], columns: readonly ColumnId[]): string {
  const head = [...columns.map((column) => (column === "age" ? "Since" : titleOf(column))), "Output", "Id"];
  const lines = alerts.map((alert) => [
    ...columns.map((column) => textOf(alert, column)),
    alert.output,
    alert.fingerprint,
  ]);
  return `${[head, ...lines].map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

function cell(text: string): string {
  // A spreadsheet must not take the text of an alert for a formula.
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replace(/"/g, '""')}"` : harmless;
}
