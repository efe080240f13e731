"""Media types of manifests, configs and layers that the registry treats in a way of their own.

All in lower case, and to be compared with types in lower case: their names are case-insensitive
(RFC 6838, 4.2).
"""

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

_DOCKER_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+json"
_DOCKER_SCHEMA_1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
_OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
_ORAS_ARTIFACT = "application/vnd.cncf.oras.artifact.manifest.v1+json"

IMAGE_MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = IMAGE_MANIFESTS | INDEXES
MANIFEST_LIKE = MANIFESTS | {
    _DOCKER_SCHEMA_1,
    _DOCKER_SCHEMA_1_SIGNED,
    _OCI_ARTIFACT,
    _ORAS_ARTIFACT,
}
"""Those, and the types of manifest that are no longer made, which clients still ask for."""
IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})

NOT_PUSHED_LAYERS = frozenset(
    {
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    }
)
"""Layers that clients need not push (image-spec, layer.md, "Non-Distributable Layers")."""
