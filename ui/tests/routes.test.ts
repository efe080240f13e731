import { describe, expect, it } from "vitest";
import { href, imageHref, parseRoute, type Route, repositoryHref, upHref } from "../src/routes";
import { isOwnPath } from "../src/sign-in/kept";

const D = `sha256:${"e".repeat(64)}`;

function parse(address: string): Route {
  const { pathname, search } = new URL(address, "https://r.example.com");
  return parseRoute(pathname, search);
}

describe("addresses", () => {
  const routes: Route[] = [
    { view: "repositories" },
    { view: "usage" },
    { view: "deleted" },
    { view: "find", digest: D },
    { view: "repository", repository: "team/app/web", tab: "tags" },
    { view: "repository", repository: "a", tab: "untagged" },
    { view: "repository", repository: "usage", tab: "deleted" },
    { view: "repository", repository: "assets/x", tab: "tags" },
    { view: "image", repository: "team/app", tag: "v1.0_x", digest: null },
    { view: "image", repository: "team/app", tag: null, digest: D },
    { view: "image", repository: "team/app", tag: "v1", digest: D },
    { view: "compare", repository: "team/app", before: "v1", after: D },
  ];

  it.each(routes)("lead to the view that they are of: %o", (route) => {
    expect(parse(href(route))).toEqual(route);
  });

  it("are as people write them", () => {
    expect(imageHref("team/app/web", "v1")).toBe("/ui/team/app/web?tag=v1");
    expect(imageHref("team/app/web", D)).toBe(`/ui/team/app/web?digest=${D}`);
    expect(repositoryHref("a", "untagged")).toBe("/ui/a?show=untagged");
  });

  it("take the root, a slash at the end, and a name that was encoded", () => {
    expect(parse("/").view).toBe("repositories");
    expect(parse("/ui").view).toBe("repositories");
    expect(parse("/ui/team/app/")).toMatchObject({ repository: "team/app" });
    expect(parse("/ui/team%2Fapp?tag=v1")).toMatchObject({ repository: "team/app", tag: "v1" });
  });

  it.each([
    "/ui/Team",
    "/ui/a//b",
    "/ui/%00",
    "/ui/%zz",
    "/ui/_other",
    "/ui/_find",
    "/ui/_find?digest=x",
    "/ui/a b",
  ])("know none such as %s", (address) => {
    expect(parse(address).view).toBe("unknown");
  });

  it("pass over what is neither a tag nor a digest", () => {
    expect(parse("/ui/a?tag=<script>").view).toBe("repository");
    expect(parse("/ui/a?digest=sha256:x").view).toBe("repository");
    expect(parse("/ui/a?compare=v1&with=").view).toBe("repository");
  });

  it("go up a level at a time", () => {
    expect(upHref(parse("/ui/a/b?tag=v1"))).toBe("/ui/a/b");
    expect(upHref(parse("/ui/a/b"))).toBe("/ui/");
    expect(upHref(parse("/ui/"))).toBeNull();
  });
});

describe("where a sign-in returns to", () => {
  it.each(["/ui/", "/ui/team/app?tag=v1", "/", "/ui?x"])("may be %s", (path) =>
    expect(isOwnPath(path)).toBe(true),
  );

  it.each([
    "//evil.example.com",
    "https://evil.example.com/ui/",
    "/\\evil.example.com",
    "/ui/..\\x",
    "/uix",
    "",
    "javascript:x",
    "/v2/",
  ])("may not be %s", (path) => expect(isOwnPath(path)).toBe(false));
});
