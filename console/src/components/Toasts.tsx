import { dismiss } from "../operate";
import * as state from "../state";
import { Icon } from "./Icon";

/** What became of actions, with a way to take them back. */
export function Toasts() {
  return (
    <div
      class="toasts"
      role="status"
      aria-live="polite"
      onPointerEnter={() => {
        state.pointerOnToasts.value = true;
      }}
      onPointerLeave={() => {
        state.pointerOnToasts.value = false;
      }}
    >
      {state.toasts.value.map((toast) => (
        <div key={toast.id} class={`toast ${toast.failed ? "toast-failed" : ""}`} data-testid="toast">
          <div>
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
                run?.();
              }}
            >
              {toast.action.label}
              {toast.action.label === "Undo" && <kbd>u</kbd>}
            </button>
          )}
          <button type="button" class="icon-button small" aria-label="Close" onClick={() => dismiss(toast.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
