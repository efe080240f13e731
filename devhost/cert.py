"""Make a certificate authority for this machine, and a server certificate for `localhost`.

Files that exist and are still valid are kept, so clients have to trust the authority only once.
"""

import argparse
import datetime
import ipaddress
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devhost.errors import CertificateError
from devhost.settings import DEFAULT_PORT

_ALWAYS = ("localhost", "127.0.0.1", "::1")
_HOST_NAME = re.compile(r"(?=.{1,253}$)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?)+")
# The longest that Apple's platforms accept from a server certificate.
_SERVER_LIFETIME = datetime.timedelta(days=825)
_AUTHORITY_LIFETIME = datetime.timedelta(days=3650)
_RENEW_BEFORE = datetime.timedelta(days=30)


class CertificateDirectory:
    """A directory with the authority (`ca.crt`, `ca.key`) and the server's files.

    These are `server.key`, and `server.crt` with the server's certificate and the authority's.
    """

    def __init__(self, path: Path, names: Sequence[str] = ()) -> None:
        """`names` are host names and addresses of the server, besides those of this machine.

        Raises:
            CertificateError: one of them is none.
        """
        self.path = path
        self.names = tuple(_alternative(name) for name in dict.fromkeys((*_ALWAYS, *names)))
        self.authority = path / "ca.crt"
        self.authority_key = path / "ca.key"
        self.certificate = path / "server.crt"
        self.key = path / "server.key"

    def ensure(self, now: datetime.datetime | None = None) -> bool:
        """Make what is missing, broken or about to expire; return whether anything was made."""
        moment = now or datetime.datetime.now(datetime.UTC)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = _load(self.authority, self.authority_key, moment)
        if authority is None:
            authority = _make_authority(moment)
            _store(self.authority, self.authority_key, authority, chain=())
        server = _load(self.certificate, self.key, moment)
        if (
            server is not None
            and _is_issued_by(server[0], authority[0])
            and set(self.names) <= _names_of(server[0])
        ):
            return False
        server = _make_server(authority, self.names, moment)
        _store(self.certificate, self.key, server, chain=(authority[0],))
        return True


_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _make_authority(now: datetime.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own for each authority: clients may have trusted an earlier one.
    serial = x509.random_serial_number()
    name = _name(f"Slipway development CA {serial % 0x10000:04x}")
    builder = (
        _builder(name, name, key, now, _AUTHORITY_LIFETIME, serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True), critical=True)
        .add_extension(_authority_identifier(key), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _alternative(name: str) -> x509.GeneralName:
    """What names a server in its certificate (RFC 5280, 4.2.1.6)."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        if not _HOST_NAME.fullmatch(name):
            raise CertificateError(
                f"NAMES: {name!r} is not a host name or an address. Leave out the port, as in "
                "NAMES=registry.example.com,192.0.2.1"
            ) from None
        return x509.DNSName(name.lower())


def _names_of(certificate: x509.Certificate) -> set[x509.GeneralName]:
    kind = x509.SubjectAlternativeName
    return set(certificate.extensions.get_extension_for_class(kind).value)


def _make_server(
    authority: _Pair, names: Sequence[x509.GeneralName], now: datetime.datetime
) -> _Pair:
    issuer, issuer_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(
            _name("localhost"),
            issuer.subject,
            key,
            now,
            _SERVER_LIFETIME,
            x509.random_serial_number(),
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_authority_identifier(issuer_key), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256()), key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    lifetime: datetime.timedelta,
    serial: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        # Clocks of containers and virtual machines may be a little behind.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_identifier(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _load(certificate_file: Path, key_file: Path, now: datetime.datetime) -> _Pair | None:
    """Return the pair if it is there, fits together and is valid for a while yet."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        return None
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        return None
    is_valid = (
        certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - _RENEW_BEFORE
    )
    return (certificate, key) if is_valid else None


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - ValueError, TypeError, InvalidSignature: all of them mean no
        return False
    return True


def _store(
    certificate_file: Path, key_file: Path, pair: _Pair, chain: tuple[x509.Certificate, ...]
) -> None:
    certificate, key = pair
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Removed first: the mode below counts only for a file that is new.
    key_file.unlink(missing_ok=True)
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    certificates = (certificate, *chain)
    certificate_file.write_bytes(
        b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)
    )


def _instructions(directory: CertificateDirectory, names: Sequence[str], port: str) -> str:
    authority = directory.authority
    server = f"{names[0] if names else 'localhost'}:{port}"
    others = f" HOST=0.0.0.0 REGISTRY_LOGIN_SERVERS={server}" if names else ""
    return f"""\
Serve over TLS:
  export TLS_CERT={directory.certificate} TLS_KEY={directory.key}{others}
  make run

Make docker trust the certificate authority (docker needs no restart):
  sudo mkdir -p /etc/docker/certs.d/{server}
  sudo cp {authority} /etc/docker/certs.d/{server}/ca.crt

For containerd and nerdctl, use /etc/containerd/certs.d instead; for podman, skopeo and buildah,
/etc/containers/certs.d. To make all programs of a Debian or Ubuntu system trust it:
  sudo cp {authority} /usr/local/share/ca-certificates/slipway-development.crt
  sudo update-ca-certificates"""


def main() -> None:
    """Make the certificates, and say how to use them."""
    parser = argparse.ArgumentParser(
        prog="python -m devhost.cert",
        description=__doc__,
        epilog="environment: NAMES, more names and addresses, separated by commas; PORT",
    )
    parser.add_argument(
        "--directory", type=Path, default=Path(".certs"), help="where to keep the files (.certs)"
    )
    path = parser.parse_args().directory.resolve()
    names = [name.strip() for name in os.environ.get("NAMES", "").split(",") if name.strip()]
    try:
        directory = CertificateDirectory(path, names)
    except CertificateError as error:
        sys.exit(f"devhost: {error}")
    made = directory.ensure()
    print(f"{'Made' if made else 'Kept'} the certificates in {directory.path}\n")
    print(_instructions(directory, names, os.environ.get("PORT") or str(DEFAULT_PORT)))


if __name__ == "__main__":
    main()
