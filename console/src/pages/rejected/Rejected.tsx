import { Moment } from "../../kit/Age";
import { Icon } from "../../kit/Icon";
import { Page } from "../../kit/Page";
import { useReading } from "../../kit/resource";
import { type Column, Table } from "../../kit/Table";
import type { RejectedLine } from "../../protocol";
import { openBody } from "./Body";
import { rejected } from "./store";

const READ_EVERY_MS = 30_000;

const COLUMNS: readonly Column<RejectedLine>[] = [
  { id: "at", title: "When", cell: ({ at }) => <Moment at={at} /> },
  { id: "integration", title: "Integration", cell: ({ integration }) => <span dir="auto">{integration ?? "–"}</span> },
  { id: "system", title: "System", cell: ({ monitoring_system }) => <span dir="auto">{monitoring_system}</span> },
  {
    id: "kind",
    title: "What",
    cell: ({ kind, cut }) => (kind === "event" ? "event, dropped by a rule" : cut ? "body, cut" : "body"),
  },
  { id: "reason", title: "Reason", cell: ({ reason }) => <span dir="auto">{reason}</span> },
  {
    id: "tools",
    title: "Actions",
    cell: ({ id }) => (
      <div class="row-tools">
        <button type="button" class="button" data-testid="read-body" onClick={() => openBody(id)}>
          Read
        </button>
      </div>
    ),
  },
];

const COMMANDS = [
  {
    id: "read-rejected",
    title: "Read the list again",
    group: "Rejected",
    icon: "reopen",
    run: () => void rejected.read(),
  },
] as const;

/** The bodies that senders posted and that could not be used. */
export default function Rejected() {
  useReading(rejected, READ_EVERY_MS);
  const page = rejected.value.value;
  return (
    <Page
      title="Rejected"
      commands={COMMANDS}
      problem={rejected.problem.value}
      tools={
        <button type="button" class="button" onClick={() => void rejected.read()}>
          <Icon name="reopen" /> Read again
        </button>
      }
    >
      {page?.rejected.length === 0 && <p class="empty">Nothing was rejected.</p>}
      {page && page.rejected.length > 0 && (
        <Table label="Rejected bodies" columns={COLUMNS} rows={page.rejected} testId="rejected" />
      )}
      {page && page.total > page.rejected.length && (
        <p class="quiet">
          The newest {page.rejected.length.toLocaleString("en")} of {page.total.toLocaleString("en")}.
        </p>
      )}
    </Page>
  );
}
