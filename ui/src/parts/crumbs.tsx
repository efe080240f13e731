/** Where one is: the levels of a repository's name, each a way up. */

interface Props {
  repository: string;
  /** What is shown of the repository; then its name leads to it. */
  what?: string | undefined;
  href?: string;
}

/** The heading of a view of a repository. */
export function Crumbs({ repository, what, href }: Props) {
  const cut = repository.lastIndexOf("/") + 1;
  return (
    <h1 tabIndex={-1} class="crumbs" title={repository}>
      <a href="/ui/" class="muted" aria-label="All repositories">
        ⌂
      </a>{" "}
      {cut ? <span class="muted">{repository.slice(0, cut)}</span> : null}
      {href ? <a href={href}>{repository.slice(cut)}</a> : <span>{repository.slice(cut)}</span>}
      {what ? <span class="what">{what}</span> : null}
    </h1>
  );
}
