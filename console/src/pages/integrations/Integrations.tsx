import { Moment } from "../../kit/Age";
import { CopyLine, curlLine } from "../../kit/Copy";
import { closeDialog, Dialog, DialogHead, openDialog } from "../../kit/forms";
import { Page } from "../../kit/Page";
import { useReading } from "../../kit/resource";
import { type Column, Table } from "../../kit/Table";
import { type IntegrationRow, integrations } from "./store";

const READ_EVERY_MS = 5_000;

const COLUMNS: readonly Column<IntegrationRow>[] = [
  { id: "name", title: "Name", cell: ({ name }) => <b dir="auto">{name}</b> },
  { id: "type", title: "Type", cell: ({ type }) => type },
  { id: "environment", title: "Environment", cell: ({ environment }) => <span dir="auto">{environment}</span> },
  { id: "scenario", title: "Scenario", cell: ({ scenario }) => <span dir="auto">{scenario}</span> },
  {
    id: "seen",
    title: "Last seen",
    cell: ({ lastUsed }) => (lastUsed ? <Moment at={lastUsed} /> : <span class="quiet">never</span>),
  },
  {
    id: "accepted",
    title: "Accepted",
    cell: ({ accepted, alerts }) => `${accepted.toLocaleString("en")} (${alerts.toLocaleString("en")} alerts)`,
  },
  { id: "refused", title: "Refused", cell: (row) => <Refused row={row} /> },
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

const NO_COMMANDS = [] as const;

/** The integrations: when each was last heard of, and what of it was refused. */
export default function Integrations() {
  useReading(integrations, READ_EVERY_MS);
  const rows = integrations.value.value;
  return (
    <Page title="Integrations" commands={NO_COMMANDS} problem={integrations.problem.value}>
      {rows?.length === 0 && (
        <p class="empty">The site has no integration: add one to the site document and apply it.</p>
      )}
      {rows && rows.length > 0 && <Table label="Integrations" columns={COLUMNS} rows={rows} testId="integrations" />}
    </Page>
  );
}

function Refused({ row: { keys, refused, lastRefusal } }: { row: IntegrationRow }) {
  const reasons = new Map<string, number>();
  for (const [reason, count] of keys.flatMap((key) => Object.entries(key.refused)))
    reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  if (refused === 0) return <span class="quiet">0</span>;
  return (
    <span class="problem">
      {[...reasons].map(([reason, count]) => `${count.toLocaleString("en")} ${reason.replaceAll("_", " ")}`).join(", ")}
      {lastRefusal && (
        <small>
          {" "}
          <Moment at={lastRefusal.at} />: <span dir="auto">{lastRefusal.message}</span>
        </small>
      )}
    </span>
  );
}

function openCurl({ name, type, keys }: IntegrationRow): void {
  const names = keys.map((key) => `${key.name ?? "without a name"} (${key.id}…)${key.expired ? ", expired" : ""}`);
  openDialog(() => (
    <Dialog title={`curl line of ${name}`} testId="curl-dialog" wide onClose={closeDialog}>
      <DialogHead title={`Send to ${name}`} onClose={closeDialog} />
      <CopyLine text={curlLine(type)} label="Copy the line" />
      <p>
        Put a key of this integration into <code>REVEILLE_KEY</code> first. Keys are not kept readable; known ones:{" "}
        {names.join("; ") || "none"}.
      </p>
    </Dialog>
  ));
}
