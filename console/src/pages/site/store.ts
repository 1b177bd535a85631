/** The site document that is being written, what the server says to it, and the revisions of the site. */
import { batch, computed, signal } from "@preact/signals";
import { ApiError, applySite, readRevision, readRevisions, readSite } from "../../api";
import { problemOf } from "../../kit/forms";
import { resource } from "../../kit/resource";
import { say } from "../../kit/toasts";
import type { Applied, Problem, RevisionLine } from "../../protocol";
import { site } from "../../site";
import { documentOf, LEFT_OUT, variablesIn } from "./document";

/** What is written in the box. It may hold secrets, so it is kept nowhere else. */
export const text = signal("");
/** What the last dry run has shown, and of which text. */
export const dryRun = signal<{ of: string; applied: Applied } | null>(null);
/** What is wrong with the text of the last dry run. */
export const problems = signal<readonly Problem[]>([]);
/** Why the last attempt failed for another reason. */
export const failure = signal<string | null>(null);
export const busy = signal(false);

/** What a dry run of the present text would change; null while there was none. */
export const changes = computed(() => (dryRun.value?.of === text.value ? dryRun.value.applied.changes : null));

export const revisions = resource(() => readRevisions(null));

/** The revisions before the newest page, and where the next page begins. */
export const older = signal<{ lines: RevisionLine[]; next: string | null } | null>(null);

/** Read the next page of revisions. */
export async function readOlder(cursor: string): Promise<void> {
  try {
    const page = await readRevisions(cursor);
    older.value = { lines: [...(older.peek()?.lines ?? []), ...page.revisions], next: page.next_cursor };
  } catch (error) {
    say({ text: `Not read: ${problemOf(error)}`, failed: true });
  }
}

/** Let the server check the document, and say what it would change. */
export async function check(): Promise<void> {
  const of = text.peek();
  const found = variablesIn(of);
  if (found.length > 0) {
    batch(() => {
      problems.value = found;
      failure.value = null;
      dryRun.value = null;
    });
    return;
  }
  await attempt(async () => {
    dryRun.value = { of, applied: await applySite(of, true) };
  });
}

/** Apply the text that the last dry run was of. */
export async function apply(): Promise<void> {
  if (changes.peek() === null) return;
  await attempt(async () => {
    const { revision, published } = await applySite(text.peek(), false);
    dryRun.value = null;
    const late = published ? null : "The stages read it as soon as the log is back.";
    say({ text: `Applied as revision ${revision}`, detail: late, failed: false });
    await Promise.all([revisions.read(), site.read()]);
  });
}

async function attempt(work: () => Promise<void>): Promise<void> {
  batch(() => {
    busy.value = true;
    problems.value = [];
    failure.value = null;
  });
  try {
    await work();
  } catch (error) {
    dryRun.value = null;
    if (error instanceof ApiError && error.problems.length > 0) problems.value = error.problems;
    else failure.value = problemOf(error);
  } finally {
    busy.value = false;
  }
}

/** Begin with the site as it is, or as a revision had it. */
export async function begin(revision: number | null): Promise<void> {
  const before = text.peek();
  try {
    const from = revision === null ? await readSite() : (await readRevision(revision)).site;
    text.value = `# Without ${LEFT_OUT.join(" and ")}, whose keys and secrets are not shown: they stay as they are.\n${documentOf(from)}`;
    if (before.trim() !== "")
      say({
        text: "The document was replaced",
        failed: false,
        action: {
          label: "Undo",
          run: () => {
            text.value = before;
          },
        },
      });
    await check();
  } catch (error) {
    say({ text: `Not read: ${problemOf(error)}`, failed: true });
  }
}
