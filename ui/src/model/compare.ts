/** Two images side by side. */

import type { Descriptor, ImageConfig, Manifest } from "./manifest";
import { platformText } from "./platforms";

export interface Image {
  manifest: Manifest;
  config: ImageConfig | null;
}

export type Change = "same" | "added" | "removed" | "changed";

export interface Line {
  name: string;
  change: Change;
  before: string | null;
  after: string | null;
}

export interface LayerLine {
  change: Change;
  layer: Descriptor;
}

export interface Comparison {
  layers: LayerLine[];
  environment: Line[];
  labels: Line[];
  settings: Line[];
  annotations: Line[];
}

/** What differs from `before` to `after`, and what is the same. */
export function compareImages(before: Image, after: Image): Comparison {
  return {
    layers: compareLayers(before.manifest.layers, after.manifest.layers),
    environment: compareMaps(environment(before.config), environment(after.config)),
    labels: compareMaps(before.config?.labels ?? {}, after.config?.labels ?? {}),
    settings: compareMaps(settings(before.config), settings(after.config)),
    annotations: compareMaps(before.manifest.annotations, after.manifest.annotations),
  };
}

/** Layers in order: those that went at their place, then what came in theirs. */
export function compareLayers(before: Descriptor[], after: Descriptor[]): LayerLine[] {
  const had = new Set(before.map((layer) => layer.digest));
  const has = new Set(after.map((layer) => layer.digest));
  const lines: LayerLine[] = [];
  let at = 0;
  const passGone = (): void => {
    for (let layer = before[at]; layer && !has.has(layer.digest); layer = before[at]) {
      lines.push({ change: "removed", layer });
      at += 1;
    }
  };
  for (const layer of after) {
    passGone();
    const isKept = had.has(layer.digest);
    lines.push({ change: isKept ? "same" : "added", layer });
    at += Number(isKept);
  }
  passGone();
  return lines;
}

export function compareMaps(before: Record<string, string>, after: Record<string, string>): Line[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.map((name) => {
    const one = Object.hasOwn(before, name) ? (before[name] ?? null) : null;
    const other = Object.hasOwn(after, name) ? (after[name] ?? null) : null;
    return { name, change: changeOf(one, other), before: one, after: other };
  });
}

function changeOf(before: string | null, after: string | null): Change {
  if (before === null) {
    return "added";
  }
  if (after === null) {
    return "removed";
  }
  return before === after ? "same" : "changed";
}

/** `NAME=value` pairs as a map; of a name that is there twice the last counts, as when it runs. */
export function environment(config: ImageConfig | null): Record<string, string> {
  const pairs = (config?.env ?? []).map((entry): [string, string] => {
    const at = entry.indexOf("=");
    return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

/** What a config says on how it is run, in words. */
export function settings(config: ImageConfig | null): Record<string, string> {
  if (!config) {
    return {};
  }
  const all: Record<string, string> = {
    Platform: platformText(config.platform),
    Entrypoint: config.entrypoint.length ? JSON.stringify(config.entrypoint) : "",
    Command: config.cmd.length ? JSON.stringify(config.cmd) : "",
    "Working directory": config.workingDir,
    User: config.user,
    Ports: config.ports.join(", "),
    Volumes: config.volumes.join(", "),
    "Stop signal": config.stopSignal,
    Author: config.author,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}
