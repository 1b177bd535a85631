import { useRef } from "preact/hooks";
import type { Command } from "../../commands";
import { Moment } from "../../kit/Age";
import { Page } from "../../kit/Page";
import { useReading } from "../../kit/resource";
import { type Column, Table } from "../../kit/Table";
import type { Problem, RevisionLine, SiteChange } from "../../protocol";
import { placeOf } from "./document";
import { openRevision } from "./Revision";
import * as state from "./store";

const READ_EVERY_MS = 30_000;

const COMMANDS: readonly Command[] = [
  {
    id: "site-begin",
    title: "Begin with the site as it is",
    group: "Site",
    icon: "edit",
    run: () => void state.begin(null),
  },
  {
    id: "site-check",
    title: "Dry run of the document",
    group: "Site",
    icon: "search",
    available: () => state.text.peek().trim() !== "",
    run: () => void state.check(),
  },
];

const COLUMNS: readonly Column<RevisionLine & { id: string }>[] = [
  { id: "revision", title: "Revision", cell: ({ revision }) => revision },
  { id: "at", title: "When", cell: ({ at }) => <Moment at={at} /> },
  { id: "by", title: "By", cell: ({ by }) => <span dir="auto">{by.who}</span> },
  {
    id: "tools",
    title: "Actions",
    cell: ({ revision }) => (
      <div class="row-tools">
        <button type="button" class="button" data-testid="read-revision" onClick={() => openRevision(revision)}>
          What changed
        </button>
        <button type="button" class="button" data-testid="restore" onClick={() => void state.begin(revision)}>
          Take as document
        </button>
      </div>
    ),
  },
];

/** The configuration as a document: checked, compared, applied; and its revisions. */
export default function SitePage() {
  useReading(state.revisions, READ_EVERY_MS);
  return (
    <Page
      title="Site"
      commands={COMMANDS}
      problem={state.revisions.problem.value}
      tools={
        <button type="button" class="button" data-testid="site-begin" onClick={() => void state.begin(null)}>
          Begin with the site as it is
        </button>
      }
    >
      <Editor />
      <Revisions />
    </Page>
  );
}

function Editor() {
  const box = useRef<HTMLTextAreaElement>(null);
  const text = state.text.value;
  const changes = state.changes.value;
  const show = ({ line, column }: Problem) => {
    const place = placeOf(text, line, column);
    box.current?.focus();
    box.current?.setSelectionRange(place, place);
  };
  return (
    <section class="site-editor">
      <label class="field">
        Site document (YAML): a section that is absent stays as it is, one that is present is all there is to be
        <textarea
          ref={box}
          class="site-text"
          name="document"
          rows={18}
          spellcheck={false}
          autocapitalize="off"
          data-testid="site-text"
          value={text}
          onInput={(event) => {
            state.text.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
            event.preventDefault();
            void state.check();
          }}
        />
      </label>
      <div class="site-tools">
        <button
          type="button"
          class="button"
          title="Ctrl+Enter in the box"
          disabled={state.busy.value || text.trim() === ""}
          data-testid="dry-run"
          onClick={() => void state.check()}
        >
          Dry run
        </button>
        <button
          type="button"
          class="button button-first"
          disabled={state.busy.value || !changes || changes.length === 0}
          data-testid="apply"
          onClick={() => void state.apply()}
        >
          {changes && changes.length > 0 ? `Apply ${counted(changes.length, "change")}` : "Apply"}
        </button>
      </div>
      <div role="status">
        {state.failure.value && (
          <p class="problem" data-testid="site-failure">
            {state.failure.value}
          </p>
        )}
        {changes?.length === 0 && <p data-testid="site-same">The document changes nothing.</p>}
        {changes && changes.length > 0 && <Changes changes={changes} />}
        <Problems problems={state.problems.value} onShow={show} />
      </div>
    </section>
  );
}

/** What an application does, or would do. */
export function Changes({ changes }: { changes: readonly SiteChange[] }) {
  return (
    <ul class="site-changes">
      {changes.map(({ change, key, fields = [] }) => (
        <li key={key} data-testid="site-change" data-change={change}>
          <b class={`change-${change}`}>{change}</b> <span dir="auto">{key}</span>
          {fields.length > 0 && <span class="quiet">: {fields.join(", ")}</span>}
        </li>
      ))}
    </ul>
  );
}

function Problems({ problems, onShow }: { problems: readonly Problem[]; onShow: (problem: Problem) => void }) {
  if (problems.length === 0) return null;
  return (
    <>
      <p class="problem">{counted(problems.length, "mistake")}; nothing was applied.</p>
      <ul class="site-changes">
        {problems.map((problem, index) => (
          <li key={index} data-testid="site-problem">
            <button
              type="button"
              class="text-button"
              title="Go to the place in the document"
              onClick={() => onShow(problem)}
            >
              {problem.line}:{problem.column}
            </button>{" "}
            <span dir="auto">
              {problem.message} ({problem.remedy})
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Revisions() {
  const newest = state.revisions.value.value;
  if (!newest) return null;
  const older = state.older.value;
  const known = new Set(newest.revisions.map(({ revision }) => revision));
  const lines = [...newest.revisions, ...(older?.lines ?? []).filter(({ revision }) => !known.has(revision))];
  const next = older ? older.next : newest.next_cursor;
  return (
    <section>
      <h2>Revisions</h2>
      {lines.length === 0 && <p class="quiet">The site has no revision yet.</p>}
      {lines.length > 0 && (
        <Table
          label="Revisions"
          columns={COLUMNS}
          rows={lines.map((line) => ({ ...line, id: String(line.revision) }))}
          testId="revisions"
        />
      )}
      {next !== null && (
        <button type="button" class="button button-quiet" onClick={() => void state.readOlder(next)}>
          Older
        </button>
      )}
    </section>
  );
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
