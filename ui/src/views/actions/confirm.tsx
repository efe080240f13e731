/** Asks once, does it, and says what happened. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { tellChanged } from "../../api/changed";
import { ApiError } from "../../api/errors";
import { visible } from "../../model/text";
import { Dialog } from "../../parts/dialog";
import { tell } from "../../parts/toast";

interface Props {
  title: string;
  /** What the button says that does it. */
  action: string;
  isDangerous?: boolean;
  /** Whether it may not be done yet: what goes along is still looked for. */
  isWaiting?: boolean;
  children: ComponentChildren;
  /** Does it, and says what happened. */
  onConfirm: () => Promise<string>;
  onClose: () => void;
  /** What comes after it was done. */
  onDone?: (() => void) | undefined;
}

export function Confirm(props: Props) {
  const { title, action, isDangerous = false, isWaiting = false, onClose } = props;
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const act = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      tell(await props.onConfirm());
      onClose();
      props.onDone?.();
      tellChanged();
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="question">{props.children}</div>
      <p class="problem" role="alert">
        {problem}
      </p>
      <div class="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          class={isDangerous ? "danger" : "primary"}
          disabled={isBusy || isWaiting}
          onClick={() => void act()}
        >
          {isBusy ? "One moment…" : action}
        </button>
      </div>
    </Dialog>
  );
}

function problemOf(error: unknown): string {
  if (error instanceof ApiError && error.code === "REGISTRY_DISALLOWED_OPERATION") {
    return "A lock forbids this. Unlock it first.";
  }
  return error instanceof Error ? visible(error.message) : String(error);
}
