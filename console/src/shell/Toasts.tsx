import { focusPage } from "../kit/focus";
import { IconButton } from "../kit/IconButton";
import { dismiss, pointerOnToasts, toasts } from "../kit/toasts";

/** What became of actions, each with its own way to take it back. */
export function Toasts() {
  // The key does what the newest one offers.
  const newestWithKey = toasts.value.findLast((toast) => toast.action?.key)?.id;
  return (
    <div
      class="toasts"
      role="status"
      aria-live="polite"
      onPointerEnter={() => {
        pointerOnToasts.value = true;
      }}
      onPointerLeave={() => {
        pointerOnToasts.value = false;
      }}
    >
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast ${toast.failed ? "toast-failed" : ""}`} data-testid="toast">
          <div dir="auto">
            {toast.text}
            {toast.detail && <small>{toast.detail}</small>}
          </div>
          {toast.action && (
            <button
              type="button"
              class="text-button"
              data-testid="toast-action"
              onClick={() => {
                const run = toast.action?.run;
                dismiss(toast.id);
                focusPage();
                run?.();
              }}
            >
              {toast.action.label}
              {toast.action.key && toast.id === newestWithKey && <kbd>{toast.action.key}</kbd>}
            </button>
          )}
          <IconButton
            icon="close"
            label="Close"
            look="small"
            onClick={() => {
              dismiss(toast.id);
              focusPage();
            }}
          />
        </div>
      ))}
    </div>
  );
}
