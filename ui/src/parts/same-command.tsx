/** The command that tells the same as a view. */

import { CopyButton } from "./copy";

export function SameCommand({ text }: { text: string }) {
  return (
    <p class="same-command">
      <span class="muted">The same on the command line</span>
      <code>{text}</code>
      <CopyButton text={text} what="the command" />
    </p>
  );
}
