import { Empty } from "../parts/states";

export function UnknownView() {
  return (
    <>
      <h1 tabIndex={-1}>Not found</h1>
      <Empty>
        <p>This address is neither a view nor the name of a repository.</p>
        <a href="/ui/">All repositories</a>
      </Empty>
    </>
  );
}
