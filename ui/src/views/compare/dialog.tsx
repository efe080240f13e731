/** With which tag an image is compared. */

import { useId, useState } from "preact/hooks";
import * as registry from "../../api/registry";
import { attached } from "../../model/folding";
import { Dialog } from "../../parts/dialog";
import { useResource } from "../../parts/use-resource";
import { href, isReference, navigate } from "../../routes";

interface Props {
  repository: string;
  reference: string;
  onClose: () => void;
}

/** The newest tags are offered; any other can be written. */
const OFFERED = 100;

export function CompareDialog({ repository, reference, onClose }: Props) {
  const id = useId();
  const [problem, setProblem] = useState("");
  const tags = useResource(`compared ${repository}`, async (signal) => {
    const page = await registry.tags(
      repository,
      registry.firstTags(repository, "timedesc", OFFERED),
      { signal },
    );
    return page.entries.map((tag) => tag.name).filter((name) => !attached(name));
  });
  const submit = (event: SubmitEvent & { currentTarget: HTMLFormElement }): void => {
    event.preventDefault();
    const other = String(new FormData(event.currentTarget).get("other") ?? "").trim();
    if (isReference(other)) {
      onClose();
      navigate(href({ view: "compare", repository, before: other, after: reference }));
    } else {
      setProblem("This is neither a tag nor a digest.");
    }
  };
  return (
    <Dialog title={`Compare ${reference.slice(0, 40)} with an earlier one`} onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          Tag or digest
          <input name="other" list={id} autocomplete="off" spellcheck={false} required />
        </label>
        <datalist id={id}>
          {tags.data
            ?.filter((name) => name !== reference)
            .map((name) => (
              <option key={name} value={name} />
            ))}
        </datalist>
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Compare
          </button>
        </div>
      </form>
    </Dialog>
  );
}
