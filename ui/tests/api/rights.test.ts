import { describe, expect, it } from "vitest";
import { accessIn } from "../../src/api/jwt";
import { readerScope, rightsOf } from "../../src/api/rights";
import { figure, listOf, nullable, object, optional, ShapeError, text } from "../../src/api/shapes";
import { parseSettings } from "../../src/sign-in/settings";

function token(claims: object): string {
  const payload = btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(claims))));
  return `h.${payload.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}.s`;
}

describe("what a token allows", () => {
  it("is read from its claims", () => {
    const access = accessIn(
      token({
        sub: "ÿ>?",
        access: [
          { type: "registry", name: "catalog", actions: ["*"] },
          { type: "repository", name: "*", actions: ["pull"] },
          { type: "repository", name: "team/*", actions: ["delete"] },
        ],
      }),
    );
    const rights = rightsOf(access);
    expect(rights.catalog).toBe(true);
    expect(rights.deletedCatalog).toBe(false);
    expect([...rights.everywhere]).toEqual(["pull"]);
    expect(rights.named).toEqual(["team/*"]);
    expect(readerScope(rights)).toBe(
      "registry:catalog:* repository:*:deleted_read,metadata_read,pull",
    );
  });

  it.each(["", "a.b.c", "a", token({}), token({ access: 7 }), token({ access: [null] })])(
    "is nothing in %s",
    (bad) => {
      expect(rightsOf(accessIn(bad)).everywhere.size).toBe(0);
    },
  );
});

describe("shapes", () => {
  const shape = object<{ a: string; b: number | null; c: string[]; d: string }>({
    a: text,
    b: nullable(figure),
    c: listOf(text),
    d: optional(text, "none"),
  });

  it("take what is as it should be, and an empty list as ACR writes it", () => {
    expect(shape({ a: "x", b: null, c: null, more: 1 }, "answer")).toEqual({
      a: "x",
      b: null,
      c: [],
      d: "none",
    });
  });

  it.each([[null], [[]], [{ a: 1, b: 1, c: [] }], [{ a: "x", c: [] }], [{ a: "x", b: 1, c: [1] }]])(
    "refuse %o, and say where",
    (value) => {
      expect(() => shape(value, "answer")).toThrow(ShapeError);
      expect(() => shape(value, "answer")).toThrow(/answer/);
    },
  );
});

describe("settings", () => {
  it("need no more than a service", () => {
    expect(parseSettings({ service: "r.example.com" })).toEqual({
      version: "",
      service: "r.example.com",
      anonymous: false,
      deleteEnabled: true,
      entra: null,
    });
  });

  it("have a scope for Entra ID by themselves", () => {
    const found = parseSettings({
      service: "r",
      entra: { clientId: "c", authority: "https://a", tenant: "t" },
    });
    expect(found.entra?.scope).toBe("https://containerregistry.azure.net/.default");
  });
});
