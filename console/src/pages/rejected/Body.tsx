import { useEffect, useState } from "preact/hooks";
import { readRejected, replay } from "../../api";
import { closeDialog, Dialog, DialogHead, FormDialog, openDialog, problemOf } from "../../kit/forms";
import { say } from "../../kit/toasts";
import type { RejectedWhole } from "../../protocol";
import { rejected } from "./store";

export function openBody(id: string): void {
  openDialog(() => <Body key={id} id={id} />);
}

/** What was refused, whole: why, where it was posted to, and its bytes. */
function Body({ id }: { id: string }) {
  const [whole, setWhole] = useState<RejectedWhole | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    readRejected(id).then(setWhole, (error: unknown) => setProblem(problemOf(error)));
  }, [id]);
  const obstacle = whole && whyNotReplayed(whole);
  return (
    <Dialog title="Rejected body" testId="rejected-body" wide onClose={closeDialog}>
      <DialogHead title="Rejected body" onClose={closeDialog} />
      {problem && <p class="problem">{problem}</p>}
      {!whole && !problem && <p>Reading…</p>}
      {whole && (
        <>
          <p class="problem" dir="auto">
            {whole.reason}
          </p>
          <dl class="facts">
            {factsOf(whole).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd dir="auto">{value}</dd>
              </div>
            ))}
          </dl>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard. */}
          <pre class="body-text" dir="auto" tabIndex={0} data-testid="body-text">
            {textOf(whole.body_base64)}
          </pre>
          {obstacle ? (
            <p>{obstacle}</p>
          ) : (
            <div class="dialog-buttons">
              <button
                type="button"
                class="button button-first"
                data-testid="replay"
                onClick={() => openDialog(() => <ReplayForm key="replay" whole={whole} />)}
              >
                Post it again
              </button>
            </div>
          )}
        </>
      )}
    </Dialog>
  );
}

function ReplayForm({ whole }: { whole: RejectedWhole }) {
  const [key, setKey] = useState("");
  return (
    <FormDialog
      title="Post the body again"
      submit="Post"
      testId="replay-form"
      onClose={closeDialog}
      onSubmit={async () => {
        await replay(whole, key.trim());
        closeDialog();
        say({ text: "Accepted.", failed: false });
        void rejected.read();
      }}
    >
      <p>
        It goes to <code>{whole.path}</code> as it came. The key of {whole.integration ?? "its integration"} is sent
        with it and not kept.
      </p>
      <label class="field">
        Integration key
        <input
          type="password"
          name="key"
          required
          autofocus
          autocomplete="off"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
    </FormDialog>
  );
}

/** Why it cannot be posted again, if it cannot. */
function whyNotReplayed({ kind, cut, path }: RejectedWhole): string | null {
  if (kind === "event")
    return "A rule dropped this event: change the rule, and what its sender posts next is accepted.";
  if (cut) return "Only its beginning was kept: let its sender send it again.";
  return path ? null : "It is not known where it was posted to: copy it, and post it with curl.";
}

function factsOf({ id, at, integration, monitoring_system, path, headers }: RejectedWhole): [string, string][] {
  const known: [string, string | undefined][] = [
    ["Id", id],
    ["At", at],
    ["Integration", integration],
    ["Monitoring system", monitoring_system],
    ["Posted to", path],
    ...Object.entries(headers ?? {}),
  ];
  return known.flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]]));
}

/** The bytes as text, if they are text. */
function textOf(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return `(${bytes.length.toLocaleString("en")} bytes that are not text)`;
  }
}
