import { describe, expect, it } from "vitest";
import { DigestCache } from "../../src/api/digest-cache";
import { Queue } from "../../src/api/queue";
import { held } from "../held";

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) {
    await Promise.resolve();
  }
};

describe("Queue", () => {
  it("runs no more than its limit at once, and all in the end", async () => {
    const queue = new Queue(3);
    let running = 0;
    let most = 0;
    const task = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await turns();
      running -= 1;
    };
    await Promise.all(Array.from({ length: 20 }, () => queue.run(task)));
    expect(most).toBe(3);
    expect(running).toBe(0);
  });

  it("begins nothing that nobody waits for any more", async () => {
    const queue = new Queue(1);
    const first = held<void>();
    const running = queue.run(() => first.promise);
    const abort = new AbortController();
    let begun = 0;
    const waiting = queue.run(async () => {
      begun += 1;
    }, abort.signal);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    first.resolve();
    await running;
    await queue.run(async () => undefined);
    expect(begun).toBe(0);
  });

  it("lets what is in view go first", async () => {
    const queue = new Queue(1);
    const first = held<void>();
    const order: string[] = [];
    const running = queue.run(() => first.promise);
    const later = queue.run(async () => void order.push("later"), undefined, true);
    const now = queue.run(async () => void order.push("now"));
    first.resolve();
    await Promise.all([running, later, now]);
    expect(order).toEqual(["now", "later"]);
  });

  it("goes on after a task that failed", async () => {
    const queue = new Queue(1);
    await expect(queue.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(queue.run(async () => 7)).resolves.toBe(7);
  });
});

describe("DigestCache", () => {
  const sizeOf = (text: string): number => text.length;

  it("asks once for those who want the same at once", async () => {
    const cache = new DigestCache<string>(100);
    let asked = 0;
    const ask = async (): Promise<string> => {
      asked += 1;
      return "x";
    };
    await Promise.all([cache.get("a", ask, sizeOf), cache.get("a", ask, sizeOf)]);
    await cache.get("a", ask, sizeOf);
    expect(asked).toBe(1);
  });

  it("holds no more bytes than its limit, and drops what was not used for longest", async () => {
    const cache = new DigestCache<string>(10);
    const asked: string[] = [];
    const get = (key: string): Promise<string> =>
      cache.get(
        key,
        async () => {
          asked.push(key);
          return "12345";
        },
        sizeOf,
      );
    await get("a");
    await get("b");
    await get("a");
    await get("c");
    expect(cache.bytes).toBeLessThanOrEqual(10);
    await get("a");
    await get("b");
    expect(asked).toEqual(["a", "b", "c", "b"]);
  });

  it("does not remember what failed", async () => {
    const cache = new DigestCache<string>(10);
    await expect(cache.get("a", () => Promise.reject(new Error("no")), sizeOf)).rejects.toThrow();
    await turns();
    await expect(cache.get("a", async () => "x", sizeOf)).resolves.toBe("x");
    expect(cache.bytes).toBe(1);
  });

  it("keeps nothing that was on its way when all was forgotten", async () => {
    const cache = new DigestCache<string>(10);
    const { promise, resolve } = held<string>();
    const asked = cache.get("a", () => promise, sizeOf);
    cache.clear();
    resolve("xx");
    await asked;
    await turns();
    expect(cache.bytes).toBe(0);
  });
});
