/** Manifests and the configs of images, as far as the page shows them. */

import { type Fields, fields, figure, json, list, text, textMap, texts } from "./loose";
import type { Platform } from "./platforms";

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  artifactType: string;
  annotations: Record<string, string>;
  platform: Platform | null;
}

export interface Manifest {
  mediaType: string;
  artifactType: string;
  isIndex: boolean;
  config: Descriptor | null;
  layers: Descriptor[];
  manifests: Descriptor[];
  subject: Descriptor | null;
  annotations: Record<string, string>;
}

export interface HistoryEntry {
  created: string;
  createdBy: string;
  comment: string;
  isEmpty: boolean;
}

export interface ImageConfig {
  created: string;
  author: string;
  platform: Platform;
  env: string[];
  entrypoint: string[];
  cmd: string[];
  workingDir: string;
  user: string;
  stopSignal: string;
  ports: string[];
  volumes: string[];
  labels: Record<string, string>;
  history: HistoryEntry[];
}

export function parseDescriptor(value: unknown): Descriptor | null {
  const found = fields(value);
  const digest = text(found["digest"]);
  if (!digest) {
    return null;
  }
  return {
    mediaType: text(found["mediaType"]),
    digest,
    size: figure(found["size"]),
    artifactType: text(found["artifactType"]),
    annotations: textMap(found["annotations"]),
    platform: found["platform"] ? parsePlatform(fields(found["platform"])) : null,
  };
}

function parsePlatform(found: Fields): Platform {
  return {
    os: text(found["os"]),
    architecture: text(found["architecture"]),
    variant: text(found["variant"]),
    "os.version": text(found["os.version"]),
  };
}

function descriptors(value: unknown): Descriptor[] {
  return list(value)
    .map(parseDescriptor)
    .filter((each) => each !== null);
}

/** A manifest from its text; `mediaType` is what the registry answered with. */
export function parseManifest(source: string, mediaType: string): Manifest {
  const found = fields(json(source));
  return {
    mediaType: mediaType || text(found["mediaType"]),
    artifactType: text(found["artifactType"]),
    isIndex: Array.isArray(found["manifests"]),
    config: parseDescriptor(found["config"]),
    layers: descriptors(found["layers"]),
    manifests: descriptors(found["manifests"]),
    subject: parseDescriptor(found["subject"]),
    annotations: textMap(found["annotations"]),
  };
}

/** The config of an image from its text. */
export function parseConfig(source: string): ImageConfig {
  const found = fields(json(source));
  const run = fields(found["config"]);
  return {
    created: text(found["created"]),
    author: text(found["author"]),
    platform: parsePlatform(found),
    env: texts(run["Env"]),
    entrypoint: texts(run["Entrypoint"]),
    cmd: texts(run["Cmd"]),
    workingDir: text(run["WorkingDir"]),
    user: text(run["User"]),
    stopSignal: text(run["StopSignal"]),
    ports: Object.keys(fields(run["ExposedPorts"])),
    volumes: Object.keys(fields(run["Volumes"])),
    labels: textMap(run["Labels"]),
    history: list(found["history"]).map(parseHistory),
  };
}

function parseHistory(value: unknown): HistoryEntry {
  const found = fields(value);
  return {
    created: text(found["created"]),
    createdBy: text(found["created_by"]),
    comment: text(found["comment"]),
    isEmpty: found["empty_layer"] === true,
  };
}
