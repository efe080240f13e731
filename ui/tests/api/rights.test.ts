import { describe, expect, it } from "vitest";
import { accessIn } from "../../src/api/jwt";
import { actionsOn, namesIn, readerScope, rightsOf } from "../../src/api/rights";
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
    expect(namesIn(rights)).toEqual(["team/*"]);
    expect([...actionsOn(rights, "team/a")].toSorted()).toEqual(["delete", "pull"]);
    expect([...actionsOn(rights, "teams")]).toEqual(["pull"]);
    expect(readerScope(rights)).toBe(
      "registry:catalog:* repository:*:deleted_read,metadata_read,pull",
    );
  });

  it.each(["", "a.b.c", "a", token({}), token({ access: 7 }), token({ access: [null] })])(
    "is nothing in %s",
    (bad) => {
      expect(rightsOf(accessIn(bad)).repositories.flatMap((each) => each.actions)).toEqual([]);
    },
  );
});

describe("rights", () => {
  const entry = (name: string) => ({ type: "repository", name, actions: ["pull"] });

  it("are of the name itself, not of those that begin with it", () => {
    const rights = rightsOf([entry("team/a"), entry("base/*")]);
    expect(actionsOn(rights, "team/a").has("pull")).toBe(true);
    expect(actionsOn(rights, "team/ab").has("pull")).toBe(false);
    expect(actionsOn(rights, "base/x/y").has("pull")).toBe(true);
    expect(actionsOn(rights, "base").has("pull")).toBe(false);
  });

  it("have to be asked for where the registry may not have told all", () => {
    const many = Array.from({ length: 100 }, (_, at) => entry(`r${at}`));
    expect(rightsOf(many).isWhole).toBe(false);
    expect(rightsOf(many.slice(1)).isWhole).toBe(true);
  });
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
