/** Commands to paste. Every part is checked by its grammar first, so none can break out. */

import type { Tool } from "./kinds";
import { isDigest, isName, isTag } from "./names";

export interface Target {
  service: string;
  repository: string;
  tag: string | null;
  digest: string | null;
  tool: Tool;
}

export interface Command {
  tool: string;
  text: string;
}

const SERVICE = /^[A-Za-z0-9.-]+(?::\d{1,5})?$/;

/** `host/name:tag`, `host/name@digest`, or neither. Throws for what is no reference. */
export function referenceText(target: Omit<Target, "tool">): string {
  const { service, repository, tag, digest } = target;
  if (!SERVICE.test(service) || !isName(repository)) {
    throw new TypeError("not a repository");
  }
  if (digest !== null) {
    if (!isDigest(digest)) {
      throw new TypeError("not a digest");
    }
    return `${service}/${repository}@${digest}`;
  }
  if (tag !== null && !isTag(tag)) {
    throw new TypeError("not a tag");
  }
  return `${service}/${repository}${tag === null ? "" : `:${tag}`}`;
}

/** The commands that get something, the one that fits it best first. */
export function pullCommands(target: Target): Command[] {
  const reference = referenceText(target);
  const file = target.repository.slice(target.repository.lastIndexOf("/") + 1);
  const manifest = { tool: "crane manifest", text: `crane manifest ${reference}` };
  if (target.tool === "chart") {
    return [
      { tool: "helm", text: helmPull(target, reference) },
      { tool: "oras", text: `oras pull ${reference}` },
      manifest,
    ];
  }
  const oras = { tool: "oras", text: `oras pull ${reference}` };
  if (target.tool === "artefact") {
    return [oras, manifest];
  }
  return [
    { tool: "docker", text: `docker pull ${reference}` },
    { tool: "podman", text: `podman pull ${reference}` },
    { tool: "crane", text: `crane pull ${reference} ${file}.tar` },
    { tool: "skopeo", text: `skopeo copy docker://${reference} oci:${file}` },
    { tool: "oras", text: `oras copy ${reference} --to-oci-layout ${file}` },
    manifest,
  ];
}

/** helm writes the `+` of a version as `_` in the tag, and wants it back as `+`. */
function helmPull(target: Target, reference: string): string {
  if (target.digest !== null || target.tag === null) {
    return `helm pull oci://${reference}`;
  }
  const chart = referenceText({ ...target, tag: null });
  return `helm pull oci://${chart} --version ${target.tag.replaceAll("_", "+")}`;
}

/** The commands of `slipway` that tell the same as a view. */
export const slipway = {
  repositories: (): string => "slipway repository list",
  usage: (): string => "slipway repository usage",
  deleted: (service: string): string => `slipway repository list-deleted ${service}`,
  tags: (service: string, repository: string): string =>
    `slipway tag list ${referenceText({ service, repository, tag: null, digest: null })} --orderby time_desc --detail`,
  manifests: (service: string, repository: string): string =>
    `slipway manifest list ${referenceText({ service, repository, tag: null, digest: null })}`,
  tree: (target: Omit<Target, "tool">): string => `slipway manifest tree ${referenceText(target)}`,
};
