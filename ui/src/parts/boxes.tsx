/** What may be wider or longer than its place, and can be scrolled by the keyboard as well. */

import type { ComponentChildren } from "preact";

interface Props {
  /** What is in it, for screen readers. */
  label: string;
  children: ComponentChildren;
}

export function TableBox({ label, children }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by the keyboard
    <section class="table-box" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}

export function SourceBox({ label, children }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by the keyboard
    <section class="source" aria-label={label} tabIndex={0}>
      <pre>{children}</pre>
    </section>
  );
}
