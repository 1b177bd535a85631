import { Moment, TimeOf } from "../../kit/Age";
import { Icon } from "../../kit/Icon";
import type { Alert } from "../../protocol";
import { takeBack } from "./operate";
import * as state from "./store";
import type { Undoing } from "./verbs";
import { amendedWords } from "./words";

/** Who has it, until when, and their comments. */
export function States({ alert }: { alert: Alert }) {
  const { acknowledgement, snooze, downtime, handling, assignment, amended, comment } = alert;
  const silence = alert.status === "open" ? state.silenceOf.value(alert) : null;
  if (!silence && !acknowledgement && !snooze && !handling && !assignment && !amended && !comment && !downtime)
    return null;
  return (
    <ul class="states" data-testid="states">
      {downtime && (
        <li>
          <Icon name="downtime" />
          <span>
            In downtime, says <b dir="auto">{downtime.by}</b>, until <TimeOf at={downtime.until} />,{" "}
            <Moment at={downtime.until} future />
            <Said comment={downtime.comment} />
          </span>
          <TakeBack verb="cancel_downtime" alert={alert} />
        </li>
      )}
      {silence && (
        <li>
          <Icon name="silence" />
          <span>
            <a href="/silences">Silenced</a> by <b dir="auto">{silence.created_by}</b>,{" "}
            <Moment at={silence.ends_at} future />
            <Said comment={silence.comment} />
          </span>
        </li>
      )}
      {acknowledgement && (
        <li>
          <Icon name="acknowledge" />
          <span>
            Acknowledged by <b dir="auto">{acknowledgement.by}</b> <Moment at={acknowledgement.at} />
            <Said comment={acknowledgement.comment} />
          </span>
          <TakeBack verb="unacknowledge" alert={alert} />
        </li>
      )}
      {snooze && (
        <li>
          <Icon name="snooze" />
          <span>
            Snoozed by <b dir="auto">{snooze.by}</b> until <TimeOf at={snooze.until} />,{" "}
            <Moment at={snooze.until} future />
            {stickyWords(snooze.sticky_severity, snooze.sticky_output)}
            <Said comment={snooze.comment} />
          </span>
          <TakeBack verb="unsnooze" alert={alert} />
        </li>
      )}
      {handling && (
        <li>
          <Icon name="handle" />
          <span>
            <b dir="auto">{handling.assignee}</b> works on it, <Moment at={handling.until} future />
            {handling.by !== handling.assignee && <>, says {handling.by}</>}
          </span>
          <TakeBack verb="unhandle" alert={alert} />
        </li>
      )}
      {assignment && (
        <li>
          <Icon name="assign" />
          <span>
            Assigned to <b dir="auto">{assignment.assignee}</b> by {assignment.by} <Moment at={assignment.at} />
            {assignment.until && (
              <>
                , <Moment at={assignment.until} future />
              </>
            )}
            <Said comment={assignment.comment} />
          </span>
          <TakeBack verb="unassign" alert={alert} />
        </li>
      )}
      {amended && (
        <li>
          <Icon name="edit" />
          <span>
            Amended by <b dir="auto">{amended.by}</b> <Moment at={amended.at} />: {amendedWords(amended)}
          </span>
          <TakeBack verb="unamend" alert={alert} />
        </li>
      )}
      {comment && (
        <li>
          <Icon name="comment" />
          <q dir="auto">{comment}</q>
          <TakeBack verb="uncomment" alert={alert} />
        </li>
      )}
    </ul>
  );
}

/** What is done can be taken back as long as it stands: of a closed alert only the comment does. */
function TakeBack({ verb, alert }: { verb: Undoing; alert: Alert }) {
  if (alert.status === "closed" && verb !== "uncomment") return null;
  return (
    <button
      type="button"
      class="text-button take-back"
      data-testid={`take-back-${verb}`}
      onClick={() => takeBack(verb, alert.fingerprint)}
    >
      Take back
    </button>
  );
}

function Said({ comment }: { comment: string | undefined }) {
  return comment ? (
    <q class="said" dir="auto">
      {comment}
    </q>
  ) : null;
}

function stickyWords(severity: boolean, output: boolean): string {
  if (severity && output) return "; stays when severity or output change";
  if (severity) return "; stays when the severity changes";
  if (output) return "; stays when the output changes";
  return "; ends when severity or output change";
}
