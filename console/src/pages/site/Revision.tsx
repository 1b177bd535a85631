import { useEffect, useState } from "preact/hooks";
import { readRevision } from "../../api";
import { TimeOf } from "../../kit/Age";
import { type DiffLine, diffLines } from "../../kit/diff";
import { closeDialog, Dialog, DialogHead, openDialog, problemOf } from "../../kit/forms";
import { toYaml } from "../../kit/yaml";
import type { Site, SiteChange, WholeRevision } from "../../protocol";

export function openRevision(revision: number): void {
  openDialog(() => <Revision key={revision} revision={revision} />);
}

/** What one revision changed: each entry before and after, without keys and secrets. */
function Revision({ revision }: { revision: number }) {
  const [read, setRead] = useState<{ whole: WholeRevision; before: Site | null } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    readBoth(revision).then(setRead, (error: unknown) => setProblem(problemOf(error)));
  }, [revision]);
  return (
    <Dialog title={`Revision ${revision}`} testId="revision-dialog" wide onClose={closeDialog}>
      <DialogHead title={`Revision ${revision}`} onClose={closeDialog} />
      {problem && <p class="problem">{problem}</p>}
      {!read && !problem && <p>Reading…</p>}
      {read && (
        <>
          <p>
            By <b dir="auto">{read.whole.by.who}</b> at <TimeOf at={read.whole.at} />
          </p>
          {read.whole.changes === null && <p>The revision before is not kept any more.</p>}
          {read.whole.changes?.map((change) => (
            <EntryChange key={change.key} change={change} before={read.before} after={read.whole.site} />
          ))}
        </>
      )}
    </Dialog>
  );
}

async function readBoth(revision: number): Promise<{ whole: WholeRevision; before: Site | null }> {
  const whole = await readRevision(revision);
  const isFirst = revision === 1 || whole.changes === null;
  return { whole, before: isFirst ? null : (await readRevision(revision - 1)).site };
}

function EntryChange({ change, before, after }: { change: SiteChange; before: Site | null; after: Site }) {
  const lines = diffLines(entryLines(before, change.key), entryLines(after, change.key));
  const isShown = lines.some((line) => line.mark !== " ");
  return (
    <section data-testid="entry-change">
      <h3>
        <span class={`change-${change.change}`}>{change.change}</span> <span dir="auto">{change.key}</span>
      </h3>
      {isShown ? (
        <Lines lines={lines} />
      ) : (
        <p class="quiet">
          {(change.fields ?? []).join(", ") || "What differs is not shown: keys, secrets or silences."}
        </p>
      )}
    </section>
  );
}

function Lines({ lines }: { lines: readonly DiffLine[] }) {
  const looks = { "+": "added", "-": "removed", " ": "" };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard.
    <pre class="body-text diff" tabIndex={0}>
      {lines.map(({ mark, text }, index) => (
        <span key={index} class={looks[mark]}>
          {mark} {text}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

/** The sections of the kinds whose names begin the keys of entries. */
const SECTIONS: Readonly<Record<string, string>> = {
  environment: "environments",
  scenario: "scenarios",
  integration: "integrations",
  bot: "bots",
  mapping: "mappings",
  heartbeat: "heartbeats",
  rules: "rules",
};

/** The entry of a key (`KIND/NAME`, or `KIND` of which there is one) as lines of YAML; none where it is not. */
export function entryLines(site: Site | null, key: string): string[] {
  const [kind = "", ...rest] = key.split("/");
  const section = (site as Record<string, unknown> | null)?.[SECTIONS[kind] ?? ""];
  if (!Array.isArray(section)) return [];
  const name = rest.join("/");
  const entry = kind === "rules" ? section : section.find((one: { name?: string }) => one.name === name);
  return entry === undefined ? [] : toYaml(entry).trimEnd().split("\n");
}
