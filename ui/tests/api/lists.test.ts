import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Page } from "../../src/api/client";
import { PagedList } from "../../src/api/paged-list";
import { RowDetails } from "../../src/api/row-details";

const PAGES: Record<string, Page<number>> = {
  one: { entries: [1, 2], next: "two" },
  two: { entries: [3], next: "three" },
  three: { entries: [4], next: "" },
};

function pages(asked: string[]): (path: string) => Promise<Page<number>> {
  return async (path) => {
    asked.push(path);
    const page = PAGES[path];
    if (!page) {
      throw new Error("no page");
    }
    return page;
  };
}

describe("PagedList", () => {
  it("asks for each page once, however many want it", async () => {
    const asked: string[] = [];
    const list = new PagedList("one", pages(asked));
    await Promise.all([list.more(), list.more(), list.all(() => true)]);
    await list.more();
    expect(asked).toEqual(["one", "two", "three"]);
    expect(list.entries.value).toEqual([1, 2, 3, 4]);
    expect(list.isComplete.value).toBe(true);
  });

  it("loads all no further than it is wanted", async () => {
    const list = new PagedList("one", pages([]));
    await list.all(() => list.entries.value.length < 3);
    expect(list.entries.value).toEqual([1, 2, 3]);
  });

  it("tells what went wrong, keeps what it has, and goes on from there", async () => {
    let isBroken = true;
    const good = pages([]);
    const list = new PagedList("one", (path) =>
      path === "two" && isBroken ? Promise.reject(new Error("no")) : good(path),
    );
    await list.all(() => true);
    expect(list.error.value).toEqual(new Error("no"));
    expect(list.entries.value).toEqual([1, 2]);
    isBroken = false;
    await list.all(() => true);
    expect(list.error.value).toBeNull();
    expect(list.entries.value).toEqual([1, 2, 3, 4]);
  });

  it("asks for nothing after it was stopped", async () => {
    const asked: string[] = [];
    const list = new PagedList("one", pages(asked));
    list.stop();
    await list.all(() => true);
    expect(asked).toEqual([]);
  });
});

describe("RowDetails", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function details(atOnce: number) {
    const asked: string[][] = [];
    const aborted: string[][] = [];
    const waiting: (() => void)[] = [];
    const found = new RowDetails<string>((keys, signal) => {
      asked.push(keys);
      return new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted.push(keys);
          reject(new DOMException("", "AbortError"));
        });
        waiting.push(() => resolve(new Map(keys.map((key) => [key, `of ${key}`]))));
      });
    }, atOnce);
    const answer = async (): Promise<void> => {
      for (const resolve of waiting.splice(0)) {
        resolve();
      }
      await vi.advanceTimersByTimeAsync(0);
    };
    return { found, asked, aborted, answer };
  }

  it("asks once about each row in view, and not about those passed by", async () => {
    const { found, asked, answer } = details(100);
    found.want(["a", "b"]);
    found.want(["c", "d"]);
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toEqual([["c", "d"]]);
    expect(found.get("c")).toBeUndefined();
    await answer();
    expect(found.get("c")).toBe("of c");
    found.want(["c", "e"]);
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toEqual([["c", "d"], ["e"]]);
  });

  it("gives up what has left the view", async () => {
    const { found, asked, aborted } = details(1);
    found.want(["a", "b"]);
    await vi.advanceTimersByTimeAsync(200);
    found.want(["b", "c"]);
    await vi.advanceTimersByTimeAsync(200);
    expect(aborted).toEqual([["a"]]);
    expect(asked).toEqual([["a"], ["b"], ["c"]]);
    found.want(["a"]);
    await vi.advanceTimersByTimeAsync(200);
    expect(asked.at(-1)).toEqual(["a"]);
  });

  it("says of a row that could not be told that it could not", async () => {
    const found = new RowDetails<string>(() => Promise.reject(new Error("no")), 1);
    found.want(["a"]);
    await vi.advanceTimersByTimeAsync(200);
    expect(found.get("a")).toBeNull();
  });
});
