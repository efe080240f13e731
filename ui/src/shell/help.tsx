/** The keys, by pressing `?`. */

import { useState } from "preact/hooks";
import { Dialog } from "../parts/dialog";
import { useKeys } from "../parts/keys";
import { settings } from "../sign-in/state";

const KEYS: [string, string][] = [
  ["/", "filter the list"],
  ["g", "go to anything: a name, a digest, a whole command"],
  ["j  k", "the row below, the row above"],
  ["Enter", "open the row"],
  ["c", "copy the digest"],
  ["y  Y", "copy the command that pulls it, by tag or by digest"],
  ["x", "choose the tag for a comparison"],
  ["← →", "close, open a level of the tree"],
  ["u", "one level up"],
  ["?", "this list"],
];

export function Help() {
  const [isOpen, setOpen] = useState(false);
  useKeys({ "?": () => setOpen(true) });
  return (
    <>
      <button
        type="button"
        class="quiet"
        title="Keys"
        aria-label="Keys"
        onClick={() => setOpen(true)}
      >
        ?
      </button>
      {isOpen ? (
        <Dialog title="Keys" onClose={() => setOpen(false)}>
          <dl class="keys">
            {KEYS.map(([key, text]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{text}</dd>
              </div>
            ))}
          </dl>
          <p class="muted">Slipway {settings.value?.version}</p>
          <form method="dialog" class="actions">
            <button type="submit" onClick={() => setOpen(false)}>
              Close
            </button>
          </form>
        </Dialog>
      ) : null}
    </>
  );
}
