/** What the registry answers, as docs/acr-compatibility.md and docs/usage.md have it. */

import { figure, listOf, nullable, object, optional, type Shape, text, truth } from "./shapes";

export interface Attributes {
  deleteEnabled: boolean;
  writeEnabled: boolean;
  readEnabled: boolean;
  listEnabled: boolean;
}

export interface Repository {
  imageName: string;
  createdTime: string;
  lastUpdateTime: string;
  manifestCount: number;
  tagCount: number;
  changeableAttributes: Attributes;
}

export interface Tag {
  name: string;
  digest: string;
  createdTime: string;
  lastUpdateTime: string;
  changeableAttributes: Attributes;
}

export interface Child {
  digest: string;
  architecture: string;
  os: string;
}

export interface ManifestFacts {
  digest: string;
  imageSize: number;
  createdTime: string;
  lastUpdateTime: string;
  mediaType: string;
  configMediaType: string;
  architecture: string;
  os: string;
  tags: string[];
  references: Child[];
  changeableAttributes: Attributes;
}

export interface Usage {
  imageName: string;
  lastUpdateTime: string;
  manifestCount: number | null;
  tagCount: number | null;
  untaggedCount: number | null;
  size: number | null;
  sharedSize: number | null;
  restorableCount: number | null;
  restorableSize: number | null;
  isExact: boolean | null;
  isCurrent: boolean;
  asOf: string | null;
}

export interface Total {
  repositoryCount: number;
  blobCount: number;
  size: number;
  sharedCount: number;
  sharedSize: number;
  waitingCount: number;
  waitingSize: number;
  uploadCount: number;
  uploadSize: number;
  storedSize: number;
  isComplete: boolean;
  asOf: string;
  oldest: string | null;
}

export interface DeletedRepository {
  manifestsDeleted: string[];
  tagsDeleted: string[];
}

export interface DeletedTag {
  tag: string;
  digest: string;
  deletedAt: string;
}

export interface DeletedManifest extends ManifestFacts {
  deletedAt: string;
}

const attributes = object<Attributes>({
  deleteEnabled: truth,
  writeEnabled: truth,
  readEnabled: truth,
  listEnabled: truth,
});

export const repository = object<Repository>({
  imageName: text,
  createdTime: text,
  lastUpdateTime: text,
  manifestCount: figure,
  tagCount: figure,
  changeableAttributes: attributes,
});

const tag = object<Tag>({
  name: text,
  digest: text,
  createdTime: text,
  lastUpdateTime: text,
  changeableAttributes: attributes,
});

const child = object<Child>({
  digest: text,
  architecture: optional(text, ""),
  os: optional(text, ""),
});

const manifestShapes: { [Name in keyof ManifestFacts]: Shape<ManifestFacts[Name]> } = {
  digest: text,
  imageSize: figure,
  createdTime: text,
  lastUpdateTime: text,
  mediaType: text,
  configMediaType: optional(text, ""),
  architecture: optional(text, ""),
  os: optional(text, ""),
  tags: listOf(text),
  references: listOf(child),
  changeableAttributes: attributes,
};

const manifest = object<ManifestFacts>(manifestShapes);

export const usage = object<Usage>({
  imageName: text,
  lastUpdateTime: text,
  manifestCount: nullable(figure),
  tagCount: nullable(figure),
  untaggedCount: nullable(figure),
  size: nullable(figure),
  sharedSize: nullable(figure),
  restorableCount: nullable(figure),
  restorableSize: nullable(figure),
  isExact: nullable(truth),
  isCurrent: truth,
  asOf: nullable(text),
});

const total = object<Total>({
  repositoryCount: figure,
  blobCount: figure,
  size: figure,
  sharedCount: figure,
  sharedSize: figure,
  waitingCount: figure,
  waitingSize: figure,
  uploadCount: figure,
  uploadSize: figure,
  storedSize: figure,
  isComplete: truth,
  asOf: text,
  oldest: nullable(text),
});

export const catalogPage = object({ repositories: listOf(text) });
export const tagPage = object({ tags: listOf(tag) });
export const namePage = object({ tags: listOf(text) });
export const manifestPage = object({ manifests: listOf(manifest) });
export const oneTag = object({ tag });
export const oneManifest = object({ manifest });
export const usagePage = object({ total: nullable(total), repositories: listOf(usage) });
export const deletedTagPage = object({
  tags: listOf(object<DeletedTag>({ tag: text, digest: text, deletedAt: text })),
});
export const deletedManifestPage = object({
  manifests: listOf(object<DeletedManifest>({ ...manifestShapes, deletedAt: text })),
});
export const deletedRepository = object<DeletedRepository>({
  manifestsDeleted: listOf(text),
  tagsDeleted: listOf(text),
});
export const restored = object({ digest: text, tags: listOf(text) });
export const token = object({ access_token: text, expires_in: optional(figure, 60) });
export const refreshToken = object({ refresh_token: text });
