/** The columns of a list of tags. */

import type { ManifestFacts } from "../../api/answers";
import type { RowDetails } from "../../api/row-details";
import { session } from "../../api/session";
import { pullCommands } from "../../model/commands";
import { kindOf } from "../../model/kinds";
import { platformsText, platformText } from "../../model/platforms";
import { CopyButton } from "../../parts/copy";
import { LockMark } from "../../parts/lock-mark";
import { Digest, Hostile, Size, Time } from "../../parts/values";
import type { Column } from "../../parts/virtual-grid";
import { imageHref } from "../../routes";
import type { Order, TagRow } from "./tags-model";

interface Context {
  repository: string;
  facts: RowDetails<ManifestFacts>;
  attachedTo: Map<string, string[]>;
  order: Order;
  onOrder: (order: Order) => void;
  chosen: string[];
  onChoose: (name: string) => void;
}

export function tagColumns(context: Context): Column<TagRow>[] {
  const { repository, order, onOrder } = context;
  const of = (row: TagRow): ManifestFacts | null | undefined =>
    row.digest ? context.facts.get(row.digest) : null;
  return [
    {
      name: "choose",
      title: <Unseen text="Compare" />,
      cell: (row) => <Choose row={row} context={context} />,
    },
    {
      name: "tag",
      title: <SortButton text="Tag" onSort={() => onOrder("version")} />,
      sort: order === "version" ? "descending" : "none",
      cell: (row) => <TagName row={row} context={context} />,
    },
    {
      name: "copy",
      title: <Unseen text="Copy" />,
      cell: (row) => <PullButton repository={repository} row={row} facts={of(row)} />,
    },
    {
      name: "digest",
      title: "Digest",
      cell: (row) =>
        row.digest && <DigestAndPull repository={repository} row={row} facts={of(row)} />,
    },
    {
      name: "kind",
      title: "Type and platforms",
      cell: (row) => <KindAndPlatforms facts={of(row)} />,
    },
    { name: "size figure", title: "Size", cell: (row) => <PulledSize facts={of(row)} /> },
    { name: "also", title: "Same as", cell: (row) => <Aliases facts={of(row)} tag={row.name} /> },
    {
      name: "updated figure",
      title: (
        <SortButton
          text="Pushed"
          onSort={() => onOrder(order === "newest" ? "oldest" : "newest")}
        />
      ),
      sort: sortByTime(order),
      cell: (row) => row.updated && <Time time={row.updated} />,
    },
  ];
}

function sortByTime(order: Order): "ascending" | "descending" | "none" {
  if (order === "version") {
    return "none";
  }
  return order === "newest" ? "descending" : "ascending";
}

/** A heading that only screen readers need. */
function Unseen({ text }: { text: string }) {
  return <span class="offscreen">{text}</span>;
}

function SortButton({ text, onSort }: { text: string; onSort: () => void }) {
  return (
    <button type="button" class="sort" onClick={onSort}>
      {text}
    </button>
  );
}

function Choose({ row, context }: { row: TagRow; context: Context }) {
  return (
    <input
      type="checkbox"
      tabIndex={-1}
      aria-label={`Choose ${row.name} for a comparison`}
      checked={context.chosen.includes(row.name)}
      onChange={() => context.onChoose(row.name)}
    />
  );
}

function TagName({ row, context }: { row: TagRow; context: Context }) {
  const attached = context.attachedTo.get(row.digest);
  return (
    <>
      <a href={imageHref(context.repository, row.name)} tabIndex={-1} title={row.name}>
        {row.name}
      </a>
      {attached ? <span class="chip">{[...new Set(attached)].join(", ")}</span> : null}
      <LockMark attributes={row.attributes} />
    </>
  );
}

/** The command that pulls the tag. */
export function pullCommand(
  repository: string,
  tag: string | null,
  digest: string,
  facts: ManifestFacts | null | undefined,
): string {
  const tool = facts ? kindOf(facts).tool : "image";
  const service = session.value?.service ?? "";
  const [first] = pullCommands({
    service,
    repository,
    tag,
    digest: tag === null ? digest : null,
    tool,
  });
  return first?.text ?? "";
}

interface PullProps {
  repository: string;
  row: TagRow;
  facts: ManifestFacts | null | undefined;
}

function PullButton({ repository, row, facts }: PullProps) {
  return (
    <CopyButton
      text={pullCommand(repository, row.name, row.digest, facts)}
      what={`the pull command of ${row.name}`}
      isInRow
    />
  );
}

/** The digest, and the command that pulls by it. */
function DigestAndPull({ repository, row, facts }: PullProps) {
  return (
    <>
      <Digest digest={row.digest} repository={repository} isInRow />
      <CopyButton
        text={pullCommand(repository, null, row.digest, facts)}
        what={`the pull command of ${row.name} by digest`}
        isInRow
      />
    </>
  );
}

interface KindProps {
  facts: ManifestFacts | null | undefined;
  /** What the manifest itself says it is, where that is known. */
  word?: string | undefined;
}

export function KindAndPlatforms({ facts, word }: KindProps) {
  if (!facts) {
    return <span class="muted">{facts === undefined ? "…" : ""}</span>;
  }
  const shown = word ?? kindOf(facts).word;
  const platforms = facts.references.length
    ? facts.references.map(platformText)
    : [platformText(facts)];
  const isPlain = shown === "image" || shown === "index";
  return (
    <>
      <Hostile text={shown} longest={40} />{" "}
      {isPlain ? <Hostile text={platformsText(platforms)} longest={80} /> : null}
    </>
  );
}

/** What is pulled; an index has no size of its own, because nobody pulls the sum. */
export function PulledSize({ facts }: { facts: ManifestFacts | null | undefined }) {
  if (facts && kindOf(facts).word === "index") {
    return (
      <span class="muted" title="Each platform has a size of its own: open the tag">
        –
      </span>
    );
  }
  return <Size bytes={facts ? facts.imageSize : facts} />;
}

function Aliases({ facts, tag }: { facts: ManifestFacts | null | undefined; tag: string }) {
  const others = facts?.tags.filter((each) => each !== tag) ?? [];
  return others.length ? (
    <span title={others.join(", ")}>{others.slice(0, 3).join(", ")}</span>
  ) : null;
}
