/** What a lock forbids, in few words. */

import type { Attributes } from "../api/answers";

const WORDS: [keyof Attributes, string][] = [
  ["writeEnabled", "no pushes, no deletion"],
  ["deleteEnabled", "no deletion"],
  ["readEnabled", "no pulls"],
  ["listEnabled", "not listed"],
];

export function lockWords(attributes: Attributes): string[] {
  return WORDS.filter(([name]) => !attributes[name])
    .filter(([name]) => name !== "deleteEnabled" || attributes.writeEnabled)
    .map(([, words]) => words);
}

export function LockMark({ attributes }: { attributes: Attributes | null | undefined }) {
  const words = attributes ? lockWords(attributes) : [];
  return words.length ? (
    <span class="chip lock" title={`Locked: ${words.join(", ")}`}>
      locked
    </span>
  ) : null;
}
