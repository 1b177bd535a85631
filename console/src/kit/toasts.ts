/** Short messages at the edge of the page, each with what can be done about it. */
import { signal } from "@preact/signals";

const TOAST_MS = 8000;
/** More are not looked at. */
const TOASTS_MOST = 3;

export interface Toast {
  id: number;
  text: string;
  detail: string | null;
  failed: boolean;
  action: { label: string; key?: string; run: () => void } | null;
}

export const toasts = signal<Toast[]>([]);
export const pointerOnToasts = signal(false);

let lastId = 0;

/** Show a message; answers its id. */
export function say(
  toast: { text: string; detail?: string | null; failed: boolean } & Partial<Pick<Toast, "action">>,
): number {
  const id = ++lastId;
  toasts.value = [...toasts.peek().slice(1 - TOASTS_MOST), { detail: null, action: null, ...toast, id }];
  setTimeout(() => fade(id), toast.failed ? 2 * TOAST_MS : TOAST_MS);
  return id;
}

/** A toast goes away by itself, but not while the pointer is on it. */
function fade(id: number): void {
  if (pointerOnToasts.peek()) setTimeout(() => fade(id), TOAST_MS / 4);
  else dismiss(id);
}

/** Take a toast away. */
export function dismiss(id: number): void {
  toasts.value = toasts.peek().filter((toast) => toast.id !== id);
}
