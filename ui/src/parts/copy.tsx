/** Copying a text with one press. */

import { tell } from "./toast";

/** Copies `text`, and says so. Over plain http a browser has no clipboard but the old command. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
    } else {
      copyByCommand(text);
    }
    tell(`Copied ${what}.`);
  } catch {
    tell(`The browser did not let the page copy ${what}.`, true);
  }
}

function copyByCommand(text: string): void {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "offscreen";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (!isCopied) {
    throw new Error("not copied");
  }
}

interface Props {
  text: string;
  /** What is copied, for the label and for the message: `the digest`. */
  what: string;
  label?: string;
  /** In a list, where a key does the same. */
  isInRow?: boolean;
}

export function CopyButton({ text, what, label, isInRow = false }: Props) {
  return (
    <button
      type="button"
      class={label ? "small" : "icon"}
      data-icon={label ? undefined : "copy"}
      aria-label={`Copy ${what}`}
      title={`Copy ${what}`}
      tabIndex={isInRow ? -1 : 0}
      onClick={(event) => {
        event.stopPropagation();
        void copy(text, what);
      }}
    >
      {label}
    </button>
  );
}
