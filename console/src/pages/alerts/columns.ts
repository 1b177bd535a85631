/** The columns of the table: what stands in them as text, and by what they are sorted. */
import { type Alert, OPERATOR_STATES, SEVERITIES } from "../../protocol";

export type ColumnId =
  | "severity"
  | "name"
  | "object"
  | "source"
  | "environment"
  | "age"
  | "state"
  | "assignee"
  | "channels"
  | "service"
  | "monitoring_system"
  | "integration"
  | "scenario"
  | `label:${string}`;

export interface Sort {
  column: ColumnId;
  descending: boolean;
}

export const DEFAULT_SORT: Sort = { column: "severity", descending: true };

export const DEFAULT_COLUMNS: readonly ColumnId[] = [
  "severity",
  "name",
  "object",
  "source",
  "environment",
  "age",
  "state",
  "assignee",
  "channels",
];

/** Columns that can be switched on besides; any label can be one too. */
export const OPTIONAL_COLUMNS: readonly ColumnId[] = ["service", "monitoring_system", "integration", "scenario"];

const TITLES: Record<Exclude<ColumnId, `label:${string}`>, string> = {
  severity: "Severity",
  name: "Alert",
  object: "Object",
  source: "Source",
  environment: "Environment",
  age: "Age",
  state: "State",
  assignee: "Assignee",
  channels: "Notified",
  service: "Service",
  monitoring_system: "System",
  integration: "Integration",
  scenario: "Scenario",
};

/** The label a column shows, if it shows one. */
export function labelOf(column: ColumnId): string | null {
  return column.startsWith("label:") ? column.slice("label:".length) : null;
}

/** What stands in the head of a column. */
export function titleOf(column: ColumnId): string {
  return labelOf(column) ?? TITLES[column as keyof typeof TITLES];
}

/** Whether this text names a column. */
export function isColumn(text: string): text is ColumnId {
  return text in TITLES || (text.startsWith("label:") && text.length > "label:".length);
}

/** Who works on the alert or owns it. */
export function assigneeOf(alert: Alert): string {
  return alert.handling?.assignee ?? alert.assignment?.assignee ?? "";
}

/** The text of a column for an alert; age and severity are drawn otherwise. */
export function textOf(alert: Alert, column: ColumnId): string {
  switch (column) {
    case "severity":
      return alert.severity;
    case "name":
      return alert.name;
    case "object":
      return alert.object;
    case "source":
      return alert.source;
    case "environment":
      return alert.environment;
    case "age":
      return alert.closed_at ?? alert.opened_at;
    case "state":
      return alert.operator_state;
    case "assignee":
      return assigneeOf(alert);
    case "channels":
      return (alert.channels ?? []).join(", ");
    case "service":
      return alert.service ?? "";
    case "monitoring_system":
      return alert.monitoring_system;
    case "integration":
      return alert.integration;
    case "scenario":
      return alert.scenario;
    default:
      return alert.labels?.[column.slice("label:".length)] ?? "";
  }
}

/** What an alert is sorted by in a column: numbers among numbers, texts among texts. */
export function sortKey(alert: Alert, column: ColumnId): number | string {
  switch (column) {
    case "severity":
      return SEVERITIES.indexOf(alert.severity);
    case "state":
      return OPERATOR_STATES.indexOf(alert.operator_state);
    case "age":
      // The oldest has the greatest age; of closed alerts it is the time since they closed.
      return -Date.parse(alert.closed_at ?? alert.opened_at);
    default:
      return textOf(alert, column).toLowerCase();
  }
}

/** How a click on the head of a column changes the order: first the useful way round, then the other. */
export function sortAfterClick(sort: Sort, column: ColumnId): Sort {
  if (sort.column === column) return { column, descending: !sort.descending };
  return { column, descending: column === "severity" };
}

/** The least width of each column in pixels, and its share of what is left over. */
const WIDTHS: Partial<Record<string, [least: number, share: number]>> = {
  severity: [104, 0],
  name: [200, 3.4],
  object: [108, 1.2],
  age: [80, 0],
  state: [164, 1.3],
  channels: [64, 0],
};
const OTHER_WIDTH: [number, number] = [92, 0.8];

/** What the check box at the beginning of each row takes. */
const CHECK_WIDTH = 40;

/** Which columns go first where the table is narrow; the details show them all. Severity and name stay. */
const GO_FIRST: readonly string[] = [
  "scenario",
  "integration",
  "monitoring_system",
  "service",
  "channels",
  "source",
  "assignee",
  "environment",
  "label",
  "object",
  "state",
  "age",
];

/** The columns for which there is room. */
export function fitColumns(columns: readonly ColumnId[], width: number): ColumnId[] {
  const fitting = [...columns];
  const least = (column: ColumnId) => (WIDTHS[column] ?? OTHER_WIDTH)[0];
  let excess = columns.reduce((sum, column) => sum + least(column), CHECK_WIDTH) - width;
  for (const kind of GO_FIRST)
    for (const column of [...fitting].reverse()) {
      if (excess <= 0) return fitting;
      if (column.split(":")[0] !== kind) continue;
      fitting.splice(fitting.indexOf(column), 1);
      excess -= least(column);
    }
  return fitting;
}

/** The widths of columns for the style sheet's grid. */
export function gridTemplate(columns: readonly ColumnId[]): string {
  const tracks = columns.map((column) => {
    const [least, share] = WIDTHS[column] ?? OTHER_WIDTH;
    return share === 0 ? `${least}px` : `minmax(${least}px, ${share}fr)`;
  });
  return `${CHECK_WIDTH}px ${tracks.join(" ")}`;
}
