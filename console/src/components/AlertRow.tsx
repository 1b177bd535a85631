import { Component } from "preact";
import { assigneeOf, type ColumnId, textOf } from "../columns";
import type { Alert } from "../protocol";
import { Age, Moment } from "./Age";
import { Icon } from "./Icon";
import { STATE_ICONS } from "./Sidebar";
import { CHANNEL_ICONS, stateWord } from "./words";

interface RowProperties {
  id: string;
  alert: Alert;
  index: number;
  columns: readonly ColumnId[];
  gone: boolean;
  fresh: boolean;
  selected: boolean;
  current: boolean;
  opened: boolean;
}

/** One row. It is drawn again only when something in it has changed; its age changes by itself. */
export class AlertRow extends Component<RowProperties> {
  override shouldComponentUpdate(next: RowProperties): boolean {
    const before = this.props;
    return (Object.keys(next) as (keyof RowProperties)[]).some((key) => next[key] !== before[key]);
  }

  render({ id, alert, index, columns, gone, fresh, selected, current, opened }: RowProperties) {
    const marks = { gone, fresh, selected, current, opened, asleep: alert.operator_state !== "active" };
    const classes = Object.entries(marks).flatMap(([name, on]) => (on ? [name] : []));
    return (
      <div
        class={`row sev-${alert.severity} ${classes.join(" ")}`}
        role="row"
        id={`alert-${id}`}
        aria-rowindex={index + 2}
        aria-selected={selected}
        data-testid="alert-row"
        data-id={id}
        data-severity={alert.severity}
        data-state={alert.operator_state}
        data-gone={gone}
      >
        <div class="cell cell-check" role="gridcell" data-testid="select">
          <input
            type="checkbox"
            tabIndex={-1}
            checked={selected}
            aria-label={`Select ${alert.name} on ${alert.object}`}
          />
        </div>
        {columns.map((column) => (
          <div key={column} class={`cell cell-${column.split(":")[0]}`} role="gridcell">
            <CellContent alert={alert} column={column} gone={gone} />
          </div>
        ))}
      </div>
    );
  }
}

function CellContent({ alert, column, gone }: { alert: Alert; column: ColumnId; gone: boolean }) {
  switch (column) {
    case "severity":
      return <span class="severity">{alert.severity}</span>;
    case "name":
      return (
        <>
          <span class="name" title={alert.name}>
            {alert.name}
          </span>
          {alert.badge && <BadgeMark alert={alert} />}
          <span class="output">{firstLine(alert.output)}</span>
        </>
      );
    case "age":
      return <Age since={Date.parse(alert.closed_at ?? alert.opened_at)} />;
    case "state":
      return <StateCell alert={alert} gone={gone} />;
    case "assignee":
      return <span title={assigneeOf(alert)}>{assigneeOf(alert)}</span>;
    case "channels":
      return (
        <span class="channels" title={textOf(alert, column) || "Nobody is told"}>
          {alert.channels?.map((channel) => (
            <Icon key={channel} name={CHANNEL_ICONS[channel]} />
          ))}
          <span class="unseen">{textOf(alert, column)}</span>
        </span>
      );
    default: {
      const text = textOf(alert, column);
      return <span title={text}>{text}</span>;
    }
  }
}

/** The badge of an alert, if it has one. */
export function BadgeMark({ alert }: { alert: Alert }) {
  return <span class={`badge badge-${alert.badge}`}>{alert.badge}</span>;
}

function StateCell({ alert, gone }: { alert: Alert; gone: boolean }) {
  if (alert.status === "closed") return <span class="state">closed</span>;
  if (gone) return <span title="It has ended, or no longer passes the filter">gone</span>;
  const { acknowledgement, snooze, handling } = alert;
  const state = alert.operator_state;
  return (
    <span class={`state state-${state}`}>
      <Icon name={STATE_ICONS[state]} />
      <span>
        {stateWord(state)}
        {state === "acknowledged" && acknowledgement && <small> {acknowledgement.by}</small>}
        {state === "snoozed" && snooze && (
          <small>
            {" "}
            <Moment at={snooze.until} future />
          </small>
        )}
        {state === "handled" && handling && (
          <small>
            {" "}
            <Moment at={handling.until} future />
          </small>
        )}
      </span>
    </span>
  );
}

function firstLine(text: string): string {
  const end = text.indexOf("\n");
  return (end < 0 ? text : text.slice(0, end)).slice(0, 300);
}
