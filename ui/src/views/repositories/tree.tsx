/** The rows of the tree, with what is told of those in view. */

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Usage } from "../../api/answers";
import { changed } from "../../api/changed";
import * as registry from "../../api/registry";
import { RowDetails } from "../../api/row-details";
import { session } from "../../api/session";
import { type TreeRow, treeRows } from "../../model/tree";
import { Empty } from "../../parts/states";
import { Figure, Size, Time } from "../../parts/values";
import { type Column, VirtualGrid } from "../../parts/virtual-grid";
import { navigate, repositoryHref } from "../../routes";

/** After so long, a repository is asked about again that there was no time to count. */
const UNCOUNTED = 5000;

/** One request for all in view; or one for each, for whoever may not ask of all. */
function useUsages(): RowDetails<Usage> {
  const number = session.value?.number ?? 0;
  const change = changed.value;
  const details = useMemo(() => {
    const isOfAll = session.value?.rights.catalog ?? false;
    const details: RowDetails<Usage> = new RowDetails<Usage>(
      async (names, signal) => {
        const found = isOfAll
          ? await registry.usages(names, { signal })
          : await Promise.all(
              names
                .filter((name) => session.value?.known(name)?.has("metadata_read") ?? true)
                .map((name) => registry.usage(name, { signal })),
            );
        for (const usage of found.filter((each) => each.asOf === null)) {
          setTimeout(() => details.askAgain(usage.imageName), UNCOUNTED);
        }
        return new Map(found.map((usage) => [usage.imageName, usage]));
      },
      isOfAll ? 100 : 1,
    );
    return details;
  }, [number, change]);
  useEffect(() => () => details.stop(), [details]);
  return details;
}

export function RepositoryTree({ names, filter }: { names: string[]; filter: string }) {
  const usages = useUsages();
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => treeRows(names, filter, turned), [names, filter, turned]);
  const turn = (row: TreeRow, isOpen = !row.isOpen): void => {
    if (row.below > 0 && row.isOpen !== isOpen) {
      const next = new Set(turned);
      if (!next.delete(row.path)) {
        next.add(row.path);
      }
      setTurned(next);
    }
  };
  if (rows.length === 0) {
    return (
      <Empty>
        <p>No name of a repository has this in it.</p>
      </Empty>
    );
  }
  return (
    <VirtualGrid
      label="Repositories"
      layout="repositories"
      isTree
      rows={rows}
      columns={columnsOf(usages, turn)}
      keyOf={(row) => row.path}
      hrefOf={(row) => (row.isRepository ? repositoryHref(row.path) : null)}
      traitsOf={(row) => ({ level: row.depth + 1, isOpen: row.below > 0 ? row.isOpen : undefined })}
      onRange={(_, inView) =>
        usages.want(inView.filter((row) => row.isRepository).map((row) => row.path))
      }
      keys={{
        ArrowRight: (row) => turn(row, true),
        ArrowLeft: (row) => turn(row, false),
        Enter: (row) => (row.isRepository ? navigate(repositoryHref(row.path)) : turn(row)),
      }}
    />
  );
}

function columnsOf(usages: RowDetails<Usage>, turn: (row: TreeRow) => void): Column<TreeRow>[] {
  const of = (row: TreeRow): Usage | null | undefined =>
    row.isRepository ? usages.get(row.path) : null;
  return [
    { name: "name", title: "Name", cell: (row) => <Name row={row} onTurn={() => turn(row)} /> },
    {
      name: "tags figure",
      title: "Tags",
      cell: (row) => row.isRepository && <Figure value={figure(of(row), "tagCount")} />,
    },
    {
      name: "manifests figure",
      title: "Manifests",
      cell: (row) => row.isRepository && <Figure value={figure(of(row), "manifestCount")} />,
    },
    {
      name: "size figure",
      title: "Size",
      cell: (row) => row.isRepository && <Size bytes={figure(of(row), "size")} />,
    },
    {
      name: "updated figure",
      title: "Updated",
      cell: (row) => <Updated usage={of(row)} isRepository={row.isRepository} />,
    },
  ];
}

function figure(
  usage: Usage | null | undefined,
  name: "tagCount" | "manifestCount" | "size",
): number | null | undefined {
  return usage ? usage[name] : usage;
}

function Updated({
  usage,
  isRepository,
}: {
  usage: Usage | null | undefined;
  isRepository: boolean;
}) {
  if (!isRepository) {
    return null;
  }
  return usage ? (
    <Time time={usage.lastUpdateTime} />
  ) : (
    <span class="muted">{usage === null ? "–" : "…"}</span>
  );
}

const INDENT = 16;

function Name({ row, onTurn }: { row: TreeRow; onTurn: () => void }) {
  return (
    <span class="tree-name" style={{ paddingInlineStart: `${row.depth * INDENT}px` }}>
      {row.below > 0 ? (
        <button
          type="button"
          class="turn"
          tabIndex={-1}
          aria-label={`${row.isOpen ? "Close" : "Open"} ${row.path}`}
          data-open={row.isOpen}
          onClick={onTurn}
        />
      ) : (
        <span class="turn" />
      )}
      {row.isRepository ? (
        <a href={repositoryHref(row.path)} tabIndex={-1} title={row.path}>
          {row.label}
        </a>
      ) : (
        <button type="button" class="level" tabIndex={-1} onClick={onTurn} title={row.path}>
          {row.label}
        </button>
      )}
      {row.below > 0 ? <span class="muted count">{row.below.toLocaleString("en")}</span> : null}
    </span>
  );
}
