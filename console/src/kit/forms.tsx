/** The dialogs of all pages: one at a time, with one way to submit, fail and close. */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api";
import { focusPage } from "./focus";
import { IconButton } from "./IconButton";

/** What draws the open dialog; null while there is none. */
export const dialog = signal<(() => preact.VNode) | null>(null);

export function openDialog(draw: () => preact.VNode): void {
  dialog.value = draw;
}

export function closeDialog(): void {
  dialog.value = null;
}

/** Opens a dialog as a modal one, and gives the focus back when it goes. */
function useModal() {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before !== document.body && before.isConnected)
        before.focus({ preventScroll: true });
      else focusPage();
    };
  }, []);
  return element;
}

/** A modal dialog with a title. Escape and a click beside it close it. */
export function Dialog(properties: {
  title: string;
  testId: string;
  wide?: boolean;
  /** Absent when the dialog cannot be left unanswered. */
  onClose?: (() => void) | undefined;
  children: preact.ComponentChildren;
}) {
  const { title, testId, wide = false, onClose, children } = properties;
  const element = useModal();
  return (
    <dialog
      ref={element}
      class={`dialog ${wide ? "dialog-wide" : ""}`}
      aria-label={title}
      data-testid={testId}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onPointerDown={(event) => {
        // Where the press begins: a text that is selected beyond the edge closes nothing.
        const mine = element.current;
        if (mine && event.target === mine && isBeside(event, mine)) onClose?.();
      }}
    >
      {children}
    </dialog>
  );
}

function isBeside(event: MouseEvent, element: HTMLElement): boolean {
  const box = element.getBoundingClientRect();
  const { clientX: x, clientY: y } = event;
  return x < box.left || x > box.right || y < box.top || y > box.bottom;
}

/** The head of a dialog without a form. */
export function DialogHead({ title, onClose }: { title: string; onClose: () => void }) {
  return (
    <h2>
      {title}
      <span class="space" />
      <IconButton icon="close" label="Close" onClick={onClose} />
    </h2>
  );
}

/** A modal dialog with a form. Its submit may fail; then the reason is shown and it stays open. */
export function FormDialog(properties: {
  title: string;
  submit: string;
  testId: string;
  wide?: boolean;
  onSubmit: () => Promise<void>;
  /** Absent when the dialog cannot be left unanswered. */
  onClose?: () => void;
  children: preact.ComponentChildren;
}) {
  const { title, submit, testId, wide = false, onSubmit, onClose, children } = properties;
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  return (
    <Dialog title={title} testId={testId} wide={wide} onClose={onClose}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (busy) return;
          setBusy(true);
          setProblem(null);
          onSubmit().catch((error: unknown) => {
            setBusy(false);
            setProblem(problemOf(error));
          });
        }}
      >
        <h2 dir="auto">{title}</h2>
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
    </Dialog>
  );
}

/** Why something failed, for reading. */
export function problemOf(error: unknown): string {
  if (error instanceof ApiError && error.field) return `${error.field}: ${error.message}`;
  return error instanceof ApiError || error instanceof RangeError ? error.message : String(error);
}

/** More than this many at once need their number typed. */
export const TYPED_COUNT_ABOVE = 100;

/** Asks for the number of what an action is about, so that a slip of the finger does not act on thousands. */
export function TypedCount({ count, onInput }: { count: number; onInput: (typed: string) => void }) {
  return (
    <label class="field">
      Type {count.toLocaleString("en")} to go on
      <input
        type="text"
        name="count"
        inputMode="numeric"
        autocomplete="off"
        required
        autofocus
        data-testid="typed-count"
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}

/** Throws unless the number was typed, with or without its commas. */
export function checkTypedCount(count: number, typed: string): void {
  if (count <= TYPED_COUNT_ABOVE || typed.trim().replace(/[,\s]/g, "") === String(count)) return;
  throw new RangeError(`Type ${count.toLocaleString("en")}, the number of alerts, to go on.`);
}
