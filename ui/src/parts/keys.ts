/** Keys that do something wherever the focus is, but where somebody types. */

import { useEffect, useRef } from "preact/hooks";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

const stack: { current: Keys }[] = [];

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input, textarea, select, dialog, [contenteditable]") !== null
  );
}

/** Listens to the keyboard. What was added last goes first. */
export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.defaultPrevented ||
      isTyping(event.target)
    ) {
      return;
    }
    for (const { current } of stack.toReversed()) {
      const act = Object.hasOwn(current, event.key) ? current[event.key] : undefined;
      if (act) {
        event.preventDefault();
        act(event);
        return;
      }
    }
  });
}

/** These keys work as long as the component is there. */
export function useKeys(keys: Keys): void {
  const held = useRef(keys);
  held.current = keys;
  useEffect(() => {
    stack.push(held);
    return () => {
      stack.splice(stack.indexOf(held), 1);
    };
  }, []);
}
