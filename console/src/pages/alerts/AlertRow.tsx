import { Component } from "preact";
import { ChannelIcon } from "../../channels";
import { Age, Moment } from "../../kit/Age";
import { Icon } from "../../kit/Icon";
import type { Alert } from "../../protocol";
import { assigneeOf, type ColumnId, textOf } from "./columns";
import { stateOf } from "./facets";
import { STATE_ICONS, stateWord } from "./words";

interface RowProperties {
  id: string;
  alert: Alert;
  index: number;
  columns: readonly ColumnId[];
  /** Two lines in place of columns. */
  phone: boolean;
  /** Stands there though it no longer belongs to what is looked at. */
  gone: boolean;
  /** It has ended, or no longer passes the server's filter. */
  over: boolean;
  /** Until when a silence holds back its notifications. */
  silencedUntil: string | null;
  /** Its scenario has no steps, or is not there. */
  unnotified: boolean;
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

  render({
    id,
    alert,
    index,
    columns,
    phone,
    gone,
    over,
    silencedUntil,
    unnotified,
    fresh,
    selected,
    current,
    opened,
  }: RowProperties) {
    const marks = {
      gone,
      over,
      phone,
      fresh,
      selected,
      current,
      opened,
      asleep: alert.operator_state !== "active" || silencedUntil !== null,
    };
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
        data-silenced={silencedUntil !== null}
      >
        <div class="cell cell-check" role="gridcell" data-testid="select">
          <input
            type="checkbox"
            tabIndex={-1}
            checked={selected}
            aria-label={`Select ${alert.name} on ${alert.object}`}
          />
        </div>
        {phone ? (
          <PhoneCell alert={alert} over={over} silencedUntil={silencedUntil} />
        ) : (
          columns.map((column) => (
            <div key={column} class={`cell cell-${column.split(":")[0]}`} role="gridcell" dir="auto">
              <CellContent
                alert={alert}
                column={column}
                over={over}
                silencedUntil={silencedUntil}
                unnotified={unnotified}
              />
            </div>
          ))
        )}
      </div>
    );
  }
}

interface Standing {
  alert: Alert;
  over: boolean;
  silencedUntil: string | null;
}

/** A row of two lines: what it is, then where, for how long and in which state. */
function PhoneCell({ alert, over, silencedUntil }: Standing) {
  return (
    <div class="cell phone-cell" role="gridcell">
      <div class="phone-line">
        <span class="severity">{alert.severity}</span>
        <span class="name" dir="auto">
          {alert.name}
        </span>
        <span class="phone-age">
          <Age since={Date.parse(alert.closed_at ?? alert.opened_at)} />
        </span>
      </div>
      <div class="phone-line quiet">
        <span class="phone-where" dir="auto">
          {alert.object} · {alert.environment}
        </span>
        <StateCell alert={alert} over={over} silencedUntil={silencedUntil} />
      </div>
    </div>
  );
}

function CellContent(properties: Standing & { column: ColumnId; unnotified: boolean }) {
  const { alert, column, over, silencedUntil, unnotified } = properties;
  switch (column) {
    case "severity":
      return <span class="severity">{alert.severity}</span>;
    case "name":
      return (
        <>
          <span class="name" dir="auto" title={alert.name}>
            {alert.name}
          </span>
          {alert.badge && <BadgeMark alert={alert} />}
          <span class="output" dir="auto">
            {firstLine(alert.output)}
          </span>
        </>
      );
    case "age":
      return <Age since={Date.parse(alert.closed_at ?? alert.opened_at)} />;
    case "state":
      return <StateCell alert={alert} over={over} silencedUntil={silencedUntil} />;
    case "assignee":
      return <span title={assigneeOf(alert)}>{assigneeOf(alert)}</span>;
    case "channels":
      if (unnotified && !alert.channels?.length)
        return (
          <span class="channels" title={`The scenario ${alert.scenario} notifies no one`} data-testid="unnotified">
            <Icon name="unnotified" />
            <span class="unseen">no one is notified</span>
          </span>
        );
      return (
        <span class="channels" title={textOf(alert, column) || "No channel was notified"}>
          {alert.channels?.map((channel) => (
            <ChannelIcon key={channel} channel={channel} />
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

function StateCell({ alert, over, silencedUntil }: Standing) {
  if (alert.status === "closed") return <span class="state">closed</span>;
  if (over) return <span title="It has ended, or no longer passes the filter">gone</span>;
  const { acknowledgement, snooze, downtime, handling } = alert;
  const state = stateOf({ alert, isSilenced: silencedUntil !== null });
  return (
    <span class={`state state-${state}`}>
      <Icon name={STATE_ICONS[state]} />
      <span>
        {stateWord(state)}
        {state === "acknowledged" && acknowledgement && <small dir="auto"> {acknowledgement.by}</small>}
        {state === "snoozed" && snooze && (
          <small>
            {" "}
            <Moment at={snooze.until} future />
          </small>
        )}
        {state === "in_downtime" && downtime && (
          <small>
            {" "}
            <Moment at={downtime.until} future />
          </small>
        )}
        {state === "silenced" && silencedUntil && (
          <small>
            {" "}
            <Moment at={silencedUntil} future />
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
