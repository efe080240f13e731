import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nextOf, request } from "../../src/api/client";
import {
  ApiError,
  ForbiddenError,
  OutdatedError,
  SignedOutError,
  UnreachableError,
} from "../../src/api/errors";
import { isExpired, Session, session } from "../../src/api/session";
import type { Credentials } from "../../src/api/tokens";
import { held } from "../held";

const PERSON: Credentials = { kind: "password", username: "ann", password: "p" };
const ASK = { scope: "repository:a:pull" };

/** A registry that gives out numbered tokens, and answers as `answer` says. */
class Registry {
  tokens = 0;
  asked: { path: string; token: string }[] = [];
  forms: URLSearchParams[] = [];
  isRefusing = false;
  answer: (token: string, path: string) => Response | Promise<Response> = () => Response.json({});

  fetch = async (path: string, options: RequestInit = {}): Promise<Response> => {
    if (path === "/oauth2/token") {
      this.forms.push(options.body as URLSearchParams);
      if (this.isRefusing) {
        return new Response("{}", { status: 401 });
      }
      this.tokens += 1;
      return Response.json({ access_token: `t${this.tokens}`, expires_in: 3600 });
    }
    const token = new Headers(options.headers).get("authorization")?.replace("Bearer ", "") ?? "";
    this.asked.push({ path, token });
    return await this.answer(token, path);
  };
}

const refused = (error: string): Response =>
  new Response("{}", {
    status: 401,
    headers: { "www-authenticate": `Bearer realm="x",error="${error}"` },
  });

let registry: Registry;

beforeEach(() => {
  registry = new Registry();
  vi.stubGlobal("fetch", registry.fetch);
  session.value = new Session(PERSON, "r.example.com");
});
afterEach(() => void vi.unstubAllGlobals());

describe("request", () => {
  it("asks for one token for all who want the same at once", async () => {
    await Promise.all(Array.from({ length: 10 }, () => request("/v2/a", ASK)));
    expect(registry.tokens).toBe(1);
    expect(registry.asked).toHaveLength(10);
  });

  it("asks for a new token once when one is refused, and tries once more", async () => {
    registry.answer = (token) =>
      token === "t1" ? refused("invalid_token") : Response.json({ token });
    const answers = await Promise.all([request("/v2/a", ASK), request("/v2/b", ASK)]);
    expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual([
      { token: "t2" },
      { token: "t2" },
    ]);
    expect(registry.tokens).toBe(2);
    expect(isExpired.value).toBe(false);
  });

  it("ends the sign-in if the next token is refused as well", async () => {
    registry.answer = () => refused("invalid_token");
    await expect(request("/v2/a", ASK)).rejects.toBeInstanceOf(SignedOutError);
    expect(isExpired.value).toBe(true);
    expect(registry.tokens).toBe(2);
  });

  it("ends the sign-in if the password is refused", async () => {
    registry.isRefusing = true;
    await expect(request("/v2/a", ASK)).rejects.toBeInstanceOf(SignedOutError);
    expect(isExpired.value).toBe(true);
  });

  it("signs nobody out for a late refusal of an earlier sign-in", async () => {
    const { promise, resolve } = held<Response>();
    registry.answer = () => promise;
    const late = request("/v2/a", ASK);
    await vi.waitFor(() => expect(registry.asked).toHaveLength(1));
    session.value = new Session(PERSON, "r.example.com");
    registry.answer = () => refused("invalid_token");
    resolve(refused("invalid_token"));
    await expect(late).rejects.toBeInstanceOf(OutdatedError);
    expect(isExpired.value).toBe(false);
  });

  it("ends the sign-in if it cannot be asked any more what may be done", async () => {
    registry.isRefusing = true;
    await expect(session.value?.ask("a")).rejects.toBeInstanceOf(SignedOutError);
    expect(isExpired.value).toBe(true);
  });

  it("keeps the sign-in where only the right is missing", async () => {
    registry.answer = () => refused("insufficient_scope");
    await expect(request("/v2/a", ASK)).rejects.toBeInstanceOf(ForbiddenError);
    expect(registry.tokens).toBe(1);
    expect(isExpired.value).toBe(false);
  });

  it("tells an error in the words of the registry", async () => {
    registry.answer = () =>
      Response.json(
        { errors: [{ code: "TAG_UNKNOWN", message: "no such tag" }] },
        { status: 404, headers: { "x-ms-correlation-request-id": "c1" } },
      );
    const error = await request("/v2/a", ASK).catch((each: unknown) => each);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 404,
      code: "TAG_UNKNOWN",
      message: "no such tag",
      correlation: "c1",
    });
  });

  it("throws a token for a change away", async () => {
    await request("/v2/a", { ...ASK, method: "DELETE", isOnce: true });
    await request("/v2/a", { ...ASK, method: "DELETE", isOnce: true });
    expect(registry.asked.map((each) => each.token)).toEqual(["t1", "t2"]);
  });

  it("repeats no change by itself", async () => {
    registry.answer = () => new Response("{}", { status: 503, headers: { "retry-after": "1" } });
    await expect(
      request("/v2/a", { ...ASK, method: "DELETE", isOnce: true }),
    ).rejects.toMatchObject({ status: 503 });
    expect(registry.asked).toHaveLength(1);
  });

  it("says so if the registry cannot be reached", async () => {
    registry.answer = () => Promise.reject(new TypeError("failed"));
    await expect(request("/v2/a", ASK)).rejects.toBeInstanceOf(UnreachableError);
  });

  it("has nothing of a sign-in in an address", async () => {
    await request("/v2/a", ASK);
    expect(registry.asked[0]?.path).toBe("/v2/a");
    expect(registry.forms[0]?.get("password")).toBe("p");
    expect(Object.values(session.value ?? {}).join()).not.toContain("t1");
  });
});

describe("nextOf", () => {
  it.each([
    ['</acr/v1/_catalog?last=b&n=2>; rel="next"', "/acr/v1/_catalog?last=b&n=2"],
    ['<https://evil.example.com/x>; rel="next"', ""],
    ['<//evil.example.com/x>; rel="next"', ""],
    ["", ""],
  ])("takes from %s what is of this registry", (link, next) => {
    expect(nextOf(new Response(null, { headers: link ? { link } : {} }))).toBe(next);
  });
});
