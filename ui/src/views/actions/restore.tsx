/** Bringing back what was deleted softly. */

import { useState } from "preact/hooks";
import * as changes from "../../api/changes";
import { ApiError } from "../../api/errors";
import { shortDigest } from "../../model/names";
import { Digest } from "../../parts/values";
import { Confirm } from "./confirm";

interface Props {
  repository: string;
  digest: string;
  /** The tag that is wanted; null: those that went with the manifest. */
  tag: string | null;
  /** Those that went with it, as far as is known. */
  tags: string[];
  onClose: () => void;
}

export function RestoreDialog({ repository, digest, tag, tags, onClose }: Props) {
  const [isTaken, setTaken] = useState(false);
  const along = tag === null ? tags : [tag];
  return (
    <Confirm
      title={tag === null ? "Restore the manifest?" : `Restore the tag ${tag}?`}
      action={isTaken ? "Move the tag and restore" : "Restore"}
      onClose={onClose}
      onConfirm={async () => {
        try {
          const restored = await changes.restore(repository, digest, tag, isTaken);
          const named = restored.tags.length ? ` with ${restored.tags.join(", ")}` : "";
          return `Restored ${shortDigest(restored.digest)} in ${repository}${named}.`;
        } catch (error) {
          if (error instanceof ApiError && error.code === "TAG_EXISTS") {
            setTaken(true);
          }
          throw error;
        }
      }}
    >
      <p>
        <Digest digest={digest} isWhole />
      </p>
      <p>
        {along.length ? `Comes back with: ${along.join(", ")}.` : "Comes back without a tag."} Tags
        that point elsewhere by now stay there.
      </p>
      {isTaken ? (
        <p>The tag points at another image by now. Once more moves it back to this one.</p>
      ) : null}
    </Confirm>
  );
}
