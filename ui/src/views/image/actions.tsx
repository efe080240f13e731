/** What can be done to a tag and to the image it points at: two things, with two words. */

import { useState } from "preact/hooks";
import { shortDigest } from "../../model/names";
import type { May } from "../../parts/use-may";
import { navigate, repositoryHref } from "../../routes";
import { DeleteManifestDialog, UntagDialog } from "../actions/deletion";
import { LockDialog } from "../actions/lock";
import { CompareDialog } from "../compare/dialog";
import type { Loaded } from "./load";

interface Props {
  repository: string;
  image: Loaded;
  may: May;
}

type Asked = "compare" | "lock-tag" | "lock-image" | "untag" | "delete";

export function ImageActions({ repository, image, may }: Props) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const noun = nounOf(image);
  const offers: [Asked, string, boolean][] = [
    ["compare", "Compare…", image.kind.tool === "image" && may.pull && may.readMetadata],
    ["lock-tag", "Tag locks…", may.lock && image.tag !== null],
    ["lock-image", `${noun} locks…`, may.lock && image.facts !== null],
    ["untag", "Untag…", may.delete && image.tag !== null],
    ["delete", `Delete ${noun.toLowerCase()}…`, may.delete && image.facts !== null],
  ];
  return (
    <>
      {offers
        .filter(([, , isOffered]) => isOffered)
        .map(([name, text]) => (
          <button key={name} type="button" onClick={() => setAsked(name)}>
            {text}
          </button>
        ))}
      {asked ? (
        <Asking
          asked={asked}
          repository={repository}
          image={image}
          onClose={() => setAsked(null)}
        />
      ) : null}
    </>
  );
}

function nounOf(image: Loaded): string {
  return image.kind.tool === "image" ? "Image" : "Artefact";
}

interface AskingProps {
  asked: Asked;
  repository: string;
  image: Loaded;
  onClose: () => void;
}

function Asking({ asked, repository, image, onClose }: AskingProps) {
  const { tag, facts, digest } = image;
  const leave = (): void => navigate(repositoryHref(repository));
  if (asked === "compare") {
    return (
      <CompareDialog repository={repository} reference={tag?.name ?? digest} onClose={onClose} />
    );
  }
  if (asked === "delete") {
    return (
      <DeleteManifestDialog
        repository={repository}
        digest={digest}
        noun={nounOf(image).toLowerCase()}
        onClose={onClose}
        onDone={leave}
      />
    );
  }
  if (asked === "untag" && tag) {
    return (
      <UntagDialog
        repository={repository}
        tag={tag.name}
        digest={digest}
        onClose={onClose}
        onDone={leave}
      />
    );
  }
  if (asked === "lock-tag" && tag) {
    return (
      <LockDialog
        repository={repository}
        what={{ kind: "tag", tag: tag.name }}
        name={`the tag ${tag.name}`}
        attributes={tag.changeableAttributes}
        onClose={onClose}
      />
    );
  }
  return facts ? (
    <LockDialog
      repository={repository}
      what={{ kind: "manifest", digest }}
      name={`the ${nounOf(image).toLowerCase()} ${shortDigest(digest)}`}
      attributes={facts.changeableAttributes}
      onClose={onClose}
    />
  ) : null;
}
