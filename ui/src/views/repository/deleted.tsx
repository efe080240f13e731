/** What was deleted in a repository and can be restored. */

import { useEffect, useMemo, useState } from "preact/hooks";
import type { DeletedManifest, DeletedTag } from "../../api/answers";
import { ApiError } from "../../api/errors";
import type { PagedList } from "../../api/paged-list";
import * as registry from "../../api/registry";
import { Empty, Failure, Loading } from "../../parts/states";
import type { May } from "../../parts/use-may";
import { usePagedList } from "../../parts/use-paged-list";
import { Digest, Size, Time } from "../../parts/values";
import { type Column, VirtualGrid } from "../../parts/virtual-grid";
import { RestoreDialog } from "../actions/restore";
import { KindAndPlatforms } from "./tag-columns";

interface Row {
  digest: string;
  /** Null for a whole manifest. */
  tag: string | null;
  /** Of a manifest: those that went with it. */
  tags: string[];
  deletedAt: string;
  manifest: DeletedManifest | null;
}

/** The latest deletion first; tags that went with a manifest stand beside it. */
function rowsOf(manifests: DeletedManifest[], tags: DeletedTag[]): Row[] {
  const tagsOf = new Map<string, string[]>();
  for (const each of tags) {
    tagsOf.set(each.digest, [...(tagsOf.get(each.digest) ?? []), each.tag]);
  }
  const gone = new Set(manifests.map((each) => each.digest));
  const rows: Row[] = [
    ...manifests.map((manifest) => ({
      digest: manifest.digest,
      tag: null,
      tags: [...new Set(tagsOf.get(manifest.digest) ?? [])],
      deletedAt: manifest.deletedAt,
      manifest,
    })),
    ...tags
      .filter((each) => !gone.has(each.digest))
      .map((each) => ({
        digest: each.digest,
        tag: each.tag,
        tags: [],
        deletedAt: each.deletedAt,
        manifest: null,
      })),
  ];
  return rows.sort((one, other) => Date.parse(other.deletedAt) - Date.parse(one.deletedAt));
}

export function DeletedOf({ repository, may }: { repository: string; may: May }) {
  const manifests = usePagedList(
    `deleted manifests ${repository}`,
    registry.firstDeleted(repository, "manifests"),
    (path, signal) => registry.deletedManifests(repository, path, { signal }),
  );
  const tags = usePagedList(
    `deleted tags ${repository}`,
    registry.firstDeleted(repository, "tags"),
    (path, signal) => registry.deletedTags(repository, path, { signal }),
  );
  const [asked, setAsked] = useState<Row | null>(null);
  useAll(manifests);
  useAll(tags);
  const rows = useMemo(
    () => rowsOf(manifests.entries.value, tags.entries.value),
    [manifests.entries.value, tags.entries.value],
  );
  const error = realError(manifests.error.value) ?? realError(tags.error.value);
  const isLoading = manifests.isLoading.value || tags.isLoading.value;
  if (error) {
    return (
      <Failure error={error} onRetry={() => void Promise.all([manifests.more(), tags.more()])} />
    );
  }
  if (rows.length === 0) {
    return isLoading ? <Loading what="what was deleted" /> : <NothingDeleted />;
  }
  return (
    <>
      <VirtualGrid
        label="Deleted"
        layout="deleted"
        rows={rows}
        columns={columnsOf(may, setAsked)}
        keyOf={(row) => `${row.digest} ${row.tag} ${row.deletedAt}`}
      />
      {asked ? (
        <RestoreDialog repository={repository} {...asked} onClose={() => setAsked(null)} />
      ) : null}
    </>
  );
}

function useAll<T>(list: PagedList<T>): void {
  useEffect(() => {
    void list.all(() => true);
  }, [list]);
}

/** A repository in which nothing was deleted is not known to this list. */
function realError(error: unknown): unknown {
  return error instanceof ApiError && error.status === 404 ? null : error;
}

function NothingDeleted() {
  return (
    <Empty>
      <p>Nothing here can be restored. Either nothing was deleted, or soft delete is off.</p>
    </Empty>
  );
}

function columnsOf(may: May, onRestore: (row: Row) => void): Column<Row>[] {
  return [
    {
      name: "what",
      title: "What",
      cell: (row) => (row.tag === null ? "manifest" : `tag ${row.tag}`),
    },
    { name: "digest", title: "Digest", cell: (row) => <Digest digest={row.digest} /> },
    {
      name: "kind",
      title: "Type",
      cell: (row) => row.manifest && <KindAndPlatforms facts={row.manifest} />,
    },
    { name: "tags", title: "With the tags", cell: (row) => row.tags.join(", ") },
    {
      name: "size figure",
      title: "Size",
      cell: (row) => row.manifest && <Size bytes={row.manifest.imageSize} />,
    },
    { name: "updated figure", title: "Deleted", cell: (row) => <Time time={row.deletedAt} /> },
    {
      name: "do",
      title: <span class="offscreen">Restore</span>,
      cell: (row) =>
        may.restore && (
          <button type="button" class="small" onClick={() => onRestore(row)}>
            Restore…
          </button>
        ),
    },
  ];
}
