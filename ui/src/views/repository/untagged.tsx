/** Manifests without a tag, each with why it is kept. */

import { useEffect, useMemo, useState } from "preact/hooks";
import type { ManifestFacts } from "../../api/answers";
import { changed } from "../../api/changed";
import * as registry from "../../api/registry";
import { RowDetails } from "../../api/row-details";
import { session } from "../../api/session";
import { keptBecause, type Reason } from "../../model/kept";
import { kindOf } from "../../model/kinds";
import { parseManifest } from "../../model/manifest";
import { counted } from "../../model/text";
import { copy } from "../../parts/copy";
import { LockMark } from "../../parts/lock-mark";
import { Empty, Failure, Loading } from "../../parts/states";
import { usePagedList } from "../../parts/use-paged-list";
import { Digest, now, Size, Time } from "../../parts/values";
import { type Column, VirtualGrid } from "../../parts/virtual-grid";
import { imageHref } from "../../routes";
import { KindAndPlatforms, pullCommand } from "./tag-columns";
import { isLocked } from "./tags-model";
import { useFacts } from "./use-facts";

/** So many manifests are looked through at a time; most may have tags. */
const STEP = 1000;
/** An index is pushed right after what it holds: it is looked for so far around it. */
const AROUND = 40;

interface Told {
  /** What it refers to; null for nothing. */
  subject: string | null;
  word: string;
}

/** What the manifests of rows in view say themselves, and no list tells. */
function useTold(repository: string): RowDetails<Told> {
  const number = session.value?.number ?? 0;
  const change = changed.value;
  const details = useMemo(
    () =>
      new RowDetails<Told>(async ([digest = ""], signal) => {
        const found = await registry.manifest(repository, digest, { signal, isLater: true });
        const manifest = parseManifest(found.source, found.mediaType);
        const types = { ...manifest, configMediaType: manifest.config?.mediaType };
        const told = { subject: manifest.subject?.digest ?? null, word: kindOf(types).word };
        return new Map([[digest, told]]);
      }, 1),
    [repository, number, change],
  );
  useEffect(() => () => details.stop(), [details]);
  return details;
}

export function Untagged({ repository }: { repository: string }) {
  const list = usePagedList<ManifestFacts>(
    `manifests ${repository}`,
    registry.firstManifests(repository),
    (path, signal) => registry.manifests(repository, path, { signal }),
  );
  const [limit, setLimit] = useState(STEP);
  const facts = useFacts(repository);
  const told = useTold(repository);
  const entries = list.entries.value;
  const rows = useMemo(() => entries.filter((each) => each.tags.length === 0), [entries]);
  const isWhole = list.isComplete.value;

  useEffect(() => {
    let isWanted = true;
    void list.all(() => isWanted && list.entries.value.length < limit);
    return () => {
      isWanted = false;
    };
  }, [list, limit]);

  const parents = parentsIn(entries, facts);
  const reasonsOf = (row: ManifestFacts): Reason[] =>
    keptBecause(
      {
        parents: parents.get(row.digest) ?? [],
        subject: told.get(row.digest)?.subject ?? null,
        isLocked: isLocked(row.changeableAttributes),
        updated: row.lastUpdateTime,
      },
      now.value,
    );
  return (
    <>
      <div class="tools">
        <span class="muted" role="status">
          {counted(rows.length, "manifest")} without a tag, of {entries.length.toLocaleString("en")}{" "}
          looked at
        </span>
        {isWhole || list.isLoading.value ? null : (
          <button type="button" class="small" onClick={() => setLimit(limit + STEP)}>
            Look further
          </button>
        )}
      </div>
      {list.error.value ? (
        <Failure error={list.error.value} onRetry={() => void list.more()} />
      ) : null}
      {rows.length ? (
        <VirtualGrid
          label="Untagged manifests"
          layout="untagged"
          rows={rows}
          columns={columnsOf(repository, told, reasonsOf)}
          keyOf={(row) => row.digest}
          hrefOf={(row) => imageHref(repository, row.digest)}
          onRange={(_, inView) => {
            facts.want(indexesNear(entries, inView));
            told.want(inView.map((row) => row.digest));
          }}
          keys={{
            c: (row) => void copy(row.digest, "the digest"),
            y: (row) =>
              void copy(pullCommand(repository, null, row.digest, row), "the pull command"),
          }}
        />
      ) : (
        <None isWhole={isWhole || !list.isLoading.value} />
      )}
    </>
  );
}

function None({ isWhole }: { isWhole: boolean }) {
  return isWhole ? (
    <Empty>
      <p>Every manifest that was looked at has a tag.</p>
    </Empty>
  ) : (
    <Loading what="manifests" />
  );
}

/** The indexes that may hold what is in view, by when they were pushed. */
function indexesNear(entries: ManifestFacts[], inView: ManifestFacts[]): string[] {
  const [first, last] = [inView[0], inView.at(-1)];
  if (!first || !last) {
    return [];
  }
  const begin = Math.max(0, entries.indexOf(first) - AROUND);
  return entries
    .slice(begin, entries.indexOf(last) + AROUND)
    .filter((each) => kindOf(each).word === "index")
    .map((each) => each.digest);
}

/** The indexes that hold a manifest, of those that were looked at. */
function parentsIn(
  entries: ManifestFacts[],
  facts: RowDetails<ManifestFacts>,
): Map<string, string[]> {
  const parents = new Map<string, string[]>();
  for (const index of entries) {
    for (const child of facts.get(index.digest)?.references ?? []) {
      parents.set(child.digest, [...(parents.get(child.digest) ?? []), index.digest]);
    }
  }
  return parents;
}

function columnsOf(
  repository: string,
  told: RowDetails<Told>,
  reasonsOf: (row: ManifestFacts) => Reason[],
): Column<ManifestFacts>[] {
  return [
    {
      name: "digest",
      title: "Digest",
      cell: (row) => <Digest digest={row.digest} repository={repository} isInRow />,
    },
    {
      name: "kind",
      title: "Type and platform",
      cell: (row) => <KindAndPlatforms facts={row} word={told.get(row.digest)?.word} />,
    },
    { name: "size figure", title: "Size", cell: (row) => <Size bytes={row.imageSize} /> },
    {
      name: "kept",
      title: "Kept because",
      cell: (row) => <Reasons repository={repository} reasons={reasonsOf(row)} row={row} />,
    },
    { name: "updated figure", title: "Pushed", cell: (row) => <Time time={row.lastUpdateTime} /> },
  ];
}

function Reasons({
  repository,
  reasons,
  row,
}: {
  repository: string;
  reasons: Reason[];
  row: ManifestFacts;
}) {
  return (
    <>
      {reasons.map((reason) => (
        <span key={reason.words + reason.digest} class="reason">
          {reason.words}{" "}
          {reason.digest ? <Digest digest={reason.digest} repository={repository} isInRow /> : null}
        </span>
      ))}
      <LockMark attributes={row.changeableAttributes} />
    </>
  );
}
