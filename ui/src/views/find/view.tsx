/** A digest without a repository: where is it? */

import { useEffect, useMemo, useState } from "preact/hooks";
import { counted } from "../../model/text";
import { catalogList, catalogNames } from "../../parts/catalog";
import { Empty, Loading } from "../../parts/states";
import { Digest } from "../../parts/values";
import { imageHref, navigate } from "../../routes";
import { AT_ONCE, Search } from "./search";

export function FindView({ digest }: { digest: string }) {
  const search = useMemo(() => new Search(digest), [digest]);
  const [limit, setLimit] = useState(AT_ONCE);
  const names = catalogNames.value;
  const isListed = catalogList.value?.isComplete.value ?? false;
  const found = search.found.value;
  useEffect(() => () => search.stop(), [search]);
  useEffect(() => {
    if (isListed) {
      void search.ask(names.slice(limit - AT_ONCE, limit));
    }
  }, [search, isListed, limit]);
  const isOver = isListed && search.asked.value >= Math.min(limit, names.length);
  const isWhole = isOver && limit >= names.length;
  const [first] = found;
  useEffect(() => {
    if (isWhole && first && found.length === 1) {
      navigate(imageHref(first, digest), true);
    }
  }, [isWhole]);
  return (
    <div class="page">
      <div class="heading">
        <h1 tabIndex={-1}>Find a digest</h1>
      </div>
      <p>
        <Digest digest={digest} isWhole />
      </p>
      {catalogList.value === null ? <NotListed /> : <Progress search={search} of={names.length} />}
      <ul>
        {found.map((name) => (
          <li key={name}>
            <a href={imageHref(name, digest)}>{name}</a>
          </li>
        ))}
      </ul>
      {catalogList.value && !isOver ? <Loading what="what has it" /> : null}
      {isOver && !first ? <p>No repository that was asked has a manifest of this digest.</p> : null}
      {isOver && !isWhole ? (
        <button type="button" onClick={() => setLimit(limit + AT_ONCE)}>
          Ask {AT_ONCE.toLocaleString("en")} more
        </button>
      ) : null}
    </div>
  );
}

function NotListed() {
  return (
    <Empty>
      <p>
        You may not list all repositories. Open the one that has it, and paste the digest there.
      </p>
    </Empty>
  );
}

function Progress({ search, of }: { search: Search; of: number }) {
  const failed = search.failed.value;
  return (
    <p class="muted" role="status">
      Asked {search.asked.value.toLocaleString("en")} of {counted(of, "repository", "repositories")}
      {failed ? `; ${failed} could not be asked` : ""}.
    </p>
  );
}
