import { describe, expect, it } from "vitest";
import { pullCommands, referenceText } from "../../src/model/commands";

const D = `sha256:${"a".repeat(64)}`;
const target = {
  service: "r.example.com:8443",
  repository: "team/web",
  tag: "v1",
  digest: null,
} as const;

describe("pullCommands", () => {
  it("begins with the tool that the artefact wants", () => {
    expect(pullCommands({ ...target, tool: "image" })[0]?.text).toBe(
      "docker pull r.example.com:8443/team/web:v1",
    );
    expect(pullCommands({ ...target, tool: "artefact" })[0]?.text).toBe(
      "oras pull r.example.com:8443/team/web:v1",
    );
    expect(pullCommands({ ...target, tool: "chart" })[0]?.text).toBe(
      "helm pull oci://r.example.com:8443/team/web --version v1",
    );
  });

  it("gives helm the plus of a version back", () => {
    const [first] = pullCommands({ ...target, tag: "1.2.3_b4", tool: "chart" });
    expect(first?.text).toContain("--version 1.2.3+b4");
  });

  it("names a digest in every command", () => {
    for (const tool of ["image", "chart", "artefact"] as const) {
      for (const command of pullCommands({ ...target, tag: null, digest: D, tool })) {
        expect(command.text).toContain(`team/web@${D}`);
      }
    }
  });

  it.each([
    [{ repository: "a;rm -rf /" }],
    [{ repository: "$(id)" }],
    [{ tag: "v1 && id" }],
    [{ tag: "`id`" }],
    [{ digest: "sha256:x;id" }],
    [{ service: "evil;id" }],
    [{ service: "a b" }],
  ])("refuses what would break out of a command: %o", (change) => {
    expect(() => referenceText({ ...target, ...change })).toThrow(TypeError);
  });
});
