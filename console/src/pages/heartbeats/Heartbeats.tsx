import type { Command } from "../../commands";
import { Moment } from "../../kit/Age";
import { CopyLine } from "../../kit/Copy";
import { closeDialog, Dialog, DialogHead, openDialog } from "../../kit/forms";
import { Page } from "../../kit/Page";
import { useReading } from "../../kit/resource";
import { type Column, Table } from "../../kit/Table";
import { wordDuration } from "../../kit/time";
import { type HeartbeatRow, heartbeats } from "./store";

const READ_EVERY_MS = 10_000;

const COLUMNS: readonly Column<HeartbeatRow>[] = [
  { id: "state", title: "State", cell: (row) => <State row={row} /> },
  { id: "name", title: "Name", cell: ({ name }) => <b dir="auto">{name}</b> },
  { id: "integration", title: "Integration", cell: ({ integration }) => <span dir="auto">{integration}</span> },
  {
    id: "period",
    title: "Called every",
    cell: ({ period_seconds, grace_seconds }) => (
      <>
        {wordDuration(period_seconds * 1000)}
        {grace_seconds > 0 && <small class="quiet"> and {wordDuration(grace_seconds * 1000)} later at most</small>}
      </>
    ),
  },
  { id: "last", title: "Last call", cell: (row) => <LastCall row={row} /> },
  {
    id: "severity",
    title: "When missed",
    cell: ({ severity }) => <span class={`severity sev-${severity}`}>{severity}</span>,
  },
  {
    id: "tools",
    title: "Actions",
    cell: (row) => (
      <div class="row-tools">
        <button type="button" class="button" data-testid="curl" onClick={() => openCurl(row)}>
          curl line
        </button>
      </div>
    ),
  },
];

const COMMANDS: readonly Command[] = [
  {
    id: "read-heartbeats",
    title: "Read the list again",
    group: "Heartbeats",
    icon: "reopen",
    run: () => void heartbeats.read(),
  },
];

/** The heartbeats: which of them are missed, and how each is called. */
export default function Heartbeats() {
  useReading(heartbeats, READ_EVERY_MS);
  const rows = heartbeats.value.value;
  return (
    <Page title="Heartbeats" commands={COMMANDS} problem={heartbeats.problem.value}>
      {rows?.length === 0 && (
        <p class="empty">The site has no heartbeat: add one to the site document, under “heartbeats”, and apply it.</p>
      )}
      {rows && rows.length > 0 && <Table label="Heartbeats" columns={COLUMNS} rows={rows} testId="heartbeats" />}
    </Page>
  );
}

function State({ row: { state, beat } }: { row: HeartbeatRow }) {
  switch (state) {
    case "missed":
      return (
        <a class="problem" href={`/alerts/${beat?.fingerprint}`}>
          missed
        </a>
      );
    case "disabled":
      return <span class="quiet">disabled</span>;
    case "calling":
      return <span class="heartbeat-calling">called again</span>;
    case "silent":
      return <span class="quiet">never missed</span>;
  }
}

/** The server tells the time of a call only of a heartbeat that was missed before. */
function LastCall({ row: { state, beat } }: { row: HeartbeatRow }) {
  if (beat === null) return <span class="quiet">not known</span>;
  if (state === "missed")
    return (
      <>
        before it was missed, <Moment at={beat.opened_at} />
      </>
    );
  return <Moment at={beat.last_event_at} />;
}

function openCurl({ name, integration, alert }: HeartbeatRow): void {
  openDialog(() => (
    <Dialog title={`curl line of ${name}`} testId="curl-dialog" wide onClose={closeDialog}>
      <DialogHead title={`Call ${name}`} onClose={closeDialog} />
      <CopyLine text={callLine(name)} label="Copy the line" />
      <p>
        Put a key of the integration {integration} into <code>REVEILLE_KEY</code> first. <code>/start</code>,{" "}
        <code>/fail</code> or an exit code after the name says how a run goes.
      </p>
      {alert !== undefined && <p>Every time that the alert “{alert}” comes is a call too.</p>}
    </Dialog>
  ));
}

/** The line that calls a heartbeat. */
function callLine(name: string): string {
  const address = `${location.origin}/heartbeat/${encodeURIComponent(name)}`;
  return `curl -fsS --retry 5 -H "X-Integration-Key: $REVEILLE_KEY" '${address}'`;
}
