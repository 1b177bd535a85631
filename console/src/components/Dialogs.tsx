import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, openSession } from "../api";
import { signedIn } from "../live";
import * as state from "../state";
import { ActionDialog } from "./ActionDialog";
import { HelpDialog } from "./HelpDialog";

/** The dialog that is asked for, if any; a missing token goes before all others. */
export function Dialogs() {
  const request = state.dialog.value;
  if (state.needsToken.value) return <TokenDialog />;
  if (request?.kind === "name") return <NameDialog key="name" afterwards={request.afterwards} />;
  if (request?.kind === "help") return <HelpDialog />;
  if (request?.kind === "act") return <ActionDialog key={request.verb} verb={request.verb} ids={request.ids} />;
  return null;
}

/** A modal dialog with a form. Its submit may fail; then the reason is shown and it stays open. */
export function FormDialog(properties: {
  title: string;
  submit: string;
  testId: string;
  onSubmit: () => Promise<void>;
  /** Absent when the dialog cannot be left unanswered. */
  onClose?: () => void;
  children: preact.ComponentChildren;
}) {
  const { title, submit, testId, onSubmit, onClose, children } = properties;
  const dialog = useModal();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-label={title}
      data-testid={testId}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (busy) return;
          setBusy(true);
          setProblem(null);
          onSubmit().catch((error: unknown) => {
            setBusy(false);
            setProblem(error instanceof ApiError || error instanceof RangeError ? error.message : String(error));
          });
        }}
      >
        <h2>{title}</h2>
        {children}
        {problem && (
          <p class="problem" role="alert" data-testid="dialog-problem">
            {problem}
          </p>
        )}
        <div class="dialog-buttons">
          {onClose && (
            <button type="button" class="button button-quiet" onClick={onClose}>
              Cancel
            </button>
          )}
          <button type="submit" class="button button-first" disabled={busy} data-testid="submit">
            {submit}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** Opens a dialog as a modal one, and gives the focus back when it goes. */
export function useModal() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return dialog;
}

export function closeDialog(): void {
  state.dialog.value = null;
}

function NameDialog({ afterwards }: { afterwards: () => void }) {
  const [name, setName] = useState(state.ownName.peek() ?? "");
  return (
    <FormDialog
      title="Your name"
      submit="Go on"
      testId="name-dialog"
      onClose={closeDialog}
      onSubmit={async () => {
        state.ownName.value = name.trim();
        closeDialog();
        afterwards();
      }}
    >
      <p>Others read it beside what you do. It is kept in this browser.</p>
      <label class="field">
        Name
        <input
          type="text"
          name="name"
          autocomplete="name"
          required
          pattern=".*\S.*"
          maxLength={100}
          autofocus
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
    </FormDialog>
  );
}

function TokenDialog() {
  const [token, setToken] = useState("");
  return (
    <FormDialog
      title="Access token"
      submit="Sign in"
      testId="token-dialog"
      onSubmit={async () => {
        try {
          await openSession(token.trim());
        } catch (error) {
          if (error instanceof ApiError && error.status === 401) throw new RangeError("That is not the access token.");
          throw error;
        }
        signedIn();
      }}
    >
      <p>This server asks for its access token. It is sent once and not kept on the page.</p>
      <label class="field">
        Token
        <input
          type="password"
          name="token"
          autocomplete="current-password"
          required
          autofocus
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
    </FormDialog>
  );
}
