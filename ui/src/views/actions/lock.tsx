/** Locking and unlocking a repository, a manifest or a tag. */

import { useState } from "preact/hooks";
import type { Attributes } from "../../api/answers";
import * as changes from "../../api/changes";
import { Confirm } from "./confirm";

interface Props {
  repository: string;
  what: changes.Lockable;
  /** What it is called. */
  name: string;
  attributes: Attributes;
  onClose: () => void;
}

type Name = keyof Attributes;

const NAMES: Name[] = ["writeEnabled", "deleteEnabled", "readEnabled", "listEnabled"];

/** What each attribute allows, of each kind of thing (docs/locks.md). */
const ALLOWS: Record<changes.Lockable["kind"], Record<Name, string>> = {
  repository: {
    writeEnabled: "be pushed to, and anything in it be deleted",
    deleteEnabled: "be deleted as a whole",
    readEnabled: "be pulled from",
    listEnabled: "be listed",
  },
  manifest: {
    writeEnabled: "get tags, and be deleted",
    deleteEnabled: "be deleted",
    readEnabled: "be pulled",
    listEnabled: "be listed",
  },
  tag: {
    writeEnabled: "be moved to another image, and be taken away",
    deleteEnabled: "be taken away",
    readEnabled: "be pulled by",
    listEnabled: "be listed",
  },
};

export function LockDialog({ repository, what, name, attributes, onClose }: Props) {
  const [wanted, setWanted] = useState<Attributes>(attributes);
  const changed = NAMES.filter((each) => wanted[each] !== attributes[each]);
  return (
    <Confirm
      title={`Locks of ${name}`}
      action="Set"
      isWaiting={changed.length === 0}
      onClose={onClose}
      onConfirm={async () => {
        const set = Object.fromEntries(changed.map((each) => [each, wanted[each]]));
        await changes.setAttributes(repository, what, set);
        return toldOf(name, wanted);
      }}
    >
      <fieldset>
        <legend>It may</legend>
        {NAMES.map((each) => (
          <label key={each} class="choice">
            <input
              type="checkbox"
              checked={wanted[each]}
              onChange={(event) => setWanted({ ...wanted, [each]: event.currentTarget.checked })}
            />
            <span>
              {ALLOWS[what.kind][each]} <code class="muted">{each}</code>
            </span>
          </label>
        ))}
      </fieldset>
      <div class="shortcuts">
        <button
          type="button"
          class="small"
          onClick={() => setWanted({ ...wanted, writeEnabled: false, deleteEnabled: false })}
        >
          Lock against changes
        </button>
        <button
          type="button"
          class="small"
          onClick={() =>
            setWanted({
              writeEnabled: true,
              deleteEnabled: true,
              readEnabled: true,
              listEnabled: true,
            })
          }
        >
          Unlock all
        </button>
      </div>
    </Confirm>
  );
}

function toldOf(name: string, set: Attributes): string {
  const off = NAMES.filter((each) => !set[each]);
  return off.length
    ? `Locked ${name}: ${off.join(", ")} ${off.length > 1 ? "are" : "is"} off.`
    : `Unlocked ${name}.`;
}
