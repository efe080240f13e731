/** What can be done to a repository. */

import { useState } from "preact/hooks";
import type { Repository, Usage } from "../../api/answers";
import type { May } from "../../parts/use-may";
import { navigate } from "../../routes";
import { DeleteRepositoryDialog } from "../actions/deletion";
import { LockDialog } from "../actions/lock";

interface Props {
  repository: string;
  facts: Repository;
  usage: Usage | null;
  may: May;
}

export function RepositoryActions({ repository, facts, usage, may }: Props) {
  const [asked, setAsked] = useState<"lock" | "delete" | null>(null);
  const close = (): void => setAsked(null);
  return (
    <>
      {may.lock ? (
        <button type="button" onClick={() => setAsked("lock")}>
          Locks…
        </button>
      ) : null}
      {may.delete ? (
        <button type="button" onClick={() => setAsked("delete")}>
          Delete…
        </button>
      ) : null}
      {asked === "lock" ? (
        <LockDialog
          repository={repository}
          what={{ kind: "repository" }}
          name={repository}
          attributes={facts.changeableAttributes}
          onClose={close}
        />
      ) : null}
      {asked === "delete" ? (
        <DeleteRepositoryDialog
          repository={repository}
          facts={facts}
          usage={usage}
          onClose={close}
          onDone={() => navigate("/ui/")}
        />
      ) : null}
    </>
  );
}
