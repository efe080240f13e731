import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from devhost.cert import CertificateDirectory
from devhost.errors import CertificateError


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateDirectory:
    directory = CertificateDirectory(tmp_path / "certs", ["build.example", "192.0.2.7"])
    assert directory.ensure()
    return directory


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_keys_can_be_read_by_their_owner_only(certificates: CertificateDirectory) -> None:
    for key in (certificates.authority_key, certificates.key):
        assert key.stat().st_mode & 0o777 == 0o600


def test_what_is_valid_is_kept(certificates: CertificateDirectory) -> None:
    before = [path.read_bytes() for path in sorted(certificates.path.iterdir())]
    assert not certificates.ensure()
    assert [path.read_bytes() for path in sorted(certificates.path.iterdir())] == before


def test_a_certificate_near_its_end_is_renewed_by_the_same_authority(
    certificates: CertificateDirectory,
) -> None:
    authority = certificates.authority.read_bytes()
    server = read(certificates.certificate)
    assert certificates.ensure(server.not_valid_after_utc - datetime.timedelta(days=1))
    assert certificates.authority.read_bytes() == authority
    assert read(certificates.certificate).not_valid_after_utc > server.not_valid_after_utc


def test_a_certificate_of_another_authority_is_replaced(certificates: CertificateDirectory) -> None:
    certificates.authority.unlink()
    assert certificates.ensure()
    authority = read(certificates.authority)
    read(certificates.certificate).verify_directly_issued_by(authority)


def test_a_key_that_does_not_fit_is_replaced_with_its_certificate(
    certificates: CertificateDirectory,
) -> None:
    certificates.key.write_bytes(certificates.authority_key.read_bytes())
    assert certificates.ensure()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
        certificates.certificate, certificates.key
    )


@pytest.mark.parametrize("names", [["other.example"], ["build.example", "192.0.2.8"]])
def test_a_certificate_is_made_anew_only_for_names_that_it_lacks(
    certificates: CertificateDirectory, names: list[str]
) -> None:
    authority = certificates.authority.read_bytes()
    assert CertificateDirectory(certificates.path, names).ensure()
    assert not CertificateDirectory(certificates.path, names).ensure()
    assert not CertificateDirectory(certificates.path).ensure()
    assert certificates.authority.read_bytes() == authority


@pytest.mark.parametrize("name", ["build.example:7071", "a b", "*", "", "-a.example", "[::1]:5"])
def test_what_is_no_name_of_a_server_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CertificateError, match="NAMES"):
        CertificateDirectory(tmp_path, [name])


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "build.example", "192.0.2.7"])
def test_a_strict_client_that_trusts_the_authority_accepts_the_server(
    certificates: CertificateDirectory, name: str
) -> None:
    client = ssl.create_default_context(cafile=str(certificates.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates.certificate, certificates.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client.wrap_bio(to_client, to_server, server_hostname=name)
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    unfinished = [client_side, server_side]
    for _ in range(10):
        for side in list(unfinished):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            unfinished.remove(side)
    assert not unfinished
