/** What has just happened, told in a corner and to screen readers. */

import { signal } from "@preact/signals";

interface Toast {
  id: number;
  text: string;
  isError: boolean;
}

const SECONDS = 8;
const toasts = signal<Toast[]>([]);
let last = 0;

export function tell(text: string, isError = false): void {
  last += 1;
  const id = last;
  toasts.value = [...toasts.value.slice(-2), { id, text, isError }];
  setTimeout(() => dismiss(id), SECONDS * 1000);
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((each) => each.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((each) => (
        <div key={each.id} class={each.isError ? "toast is-error" : "toast"}>
          <span>{each.text}</span>
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => dismiss(each.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
