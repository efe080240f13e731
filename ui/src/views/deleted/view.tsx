/** The repositories in which something can be restored. */

import { useEffect } from "preact/hooks";
import * as registry from "../../api/registry";
import { session } from "../../api/session";
import { slipway } from "../../model/commands";
import { SameCommand } from "../../parts/same-command";
import { Empty, Failure, Loading } from "../../parts/states";
import { usePagedList } from "../../parts/use-paged-list";
import { VirtualGrid } from "../../parts/virtual-grid";
import { repositoryHref } from "../../routes";

export function DeletedView() {
  const list = usePagedList("deleted", registry.firstDeletedCatalog, (path, signal) =>
    registry.deletedCatalog(path, { signal }),
  );
  useEffect(() => {
    void list.all(() => true);
  }, [list]);
  const names = list.entries.value;
  const isWhole = list.isComplete.value;
  return (
    <>
      <div class="heading">
        <h1 tabIndex={-1}>Deleted</h1>
        <span class="muted">what can still be restored, by repository</span>
      </div>
      {list.error.value ? (
        <Failure error={list.error.value} onRetry={() => void list.more()} />
      ) : null}
      {names.length ? (
        <VirtualGrid
          label="Repositories with something deleted"
          layout="names"
          rows={names}
          columns={[
            {
              name: "name",
              title: "Repository",
              cell: (name) => (
                <a href={repositoryHref(name, "deleted")} tabIndex={-1}>
                  {name}
                </a>
              ),
            },
          ]}
          keyOf={(name) => name}
          hrefOf={(name) => repositoryHref(name, "deleted")}
        />
      ) : null}
      {names.length === 0 && !list.error.value ? <Nothing isWhole={isWhole} /> : null}
      <SameCommand text={slipway.deleted(session.value?.service ?? "")} />
    </>
  );
}

function Nothing({ isWhole }: { isWhole: boolean }) {
  return isWhole ? (
    <Empty>
      <p>Nothing can be restored. Either nothing was deleted, or soft delete is off.</p>
    </Empty>
  ) : (
    <Loading what="what was deleted" />
  );
}
