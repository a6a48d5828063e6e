"""A certificate of this machine's own: browsers give the camera to secure addresses only."""

import datetime
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rnnedge_device.errors import InputError
from rnnedge_device.extras import load_extra
from rnnedge_device.files import atomic_path

if TYPE_CHECKING:
    from cryptography import x509

# Browsers refuse longer ones; one that is about to end is made anew.
_VALID, _LEFT = datetime.timedelta(days=397), datetime.timedelta(days=7)


@dataclass(frozen=True)
class Certificate:
    """Two PEM files that belong together.

    Args:
        cert, key: where they lie.
        fingerprint: SHA-256 of the certificate as browsers show it; empty for one that was given.
        made: was it made here (and so is nobody's but this machine's)?
    """

    cert: Path
    key: Path
    fingerprint: str = ""
    made: bool = False


def own_certificate(folder: Path, names: list[str]) -> Certificate:
    """The certificate that lies in `folder`, made anew where it is missing, about to end, or lacks a name.

    It signs itself and may be installed on a phone as an authority: then the phone trusts this machine, by these names.

    Args:
        folder: made where it is missing; only its owner may look into it.
        names: host names and addresses by which phones call this machine.

    Raises:
        InputError: the folder cannot be written, or `cryptography` is not installed.
    """
    load_extra("cryptography", "--serve-web")
    cert, key = folder / "serve-web.crt", folder / "serve-web.key"
    fingerprint = _good(cert, key, names)
    if not fingerprint:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fingerprint = _make(cert, key, names)
        except OSError as problem:
            raise InputError(
                f"--serve-web: cannot keep a certificate in {str(folder)!r}: {problem.strerror}"
            ) from None
    return Certificate(cert, key, fingerprint, made=True)


def machine_names() -> list[str]:
    """Host names and addresses of this machine, those that a phone can use first."""
    host = socket.gethostname()
    found = addresses()
    return [*found, host, f"{host}.local", "localhost", "127.0.0.1"]


def addresses() -> list[str]:
    """IPv4 addresses in the network; the one that leads out first. Empty without a network."""
    found: list[str] = []
    # Nothing is sent: this only asks which address would be used.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found.append(probe.getsockname()[0])
        except OSError:
            pass
    try:
        told = [entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    except OSError:
        told = []
    found += sorted(str(address) for address in told)
    return [address for address in dict.fromkeys(found) if not ipaddress.ip_address(address).is_loopback]


def _good(cert: Path, key: Path, names: list[str]) -> str:
    """The fingerprint of a certificate that can be used further, else an empty string."""
    from cryptography import x509

    try:
        known = x509.load_pem_x509_certificate(cert.read_bytes())
        covered = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return ""
    has = {str(name.value) for name in covered}
    left = known.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    good = key.is_file() and left > _LEFT and has.issuperset(names)
    return _fingerprint(known) if good else ""


def _make(cert: Path, key: Path, names: list[str]) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"rnnedge on {socket.gethostname()}"[:64])])
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        True, False, False, False, False, True, False, False, False
    )  # signatures, certificates
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(
            x509.SubjectAlternativeName([_general(name) for name in dict.fromkeys(names)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with atomic_path(key) as temporary:
        temporary.touch(mode=0o600, exist_ok=False)
        temporary.write_bytes(secret)
    with atomic_path(cert) as temporary:
        temporary.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return _fingerprint(made)


def _general(name: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _fingerprint(certificate: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives import hashes

    return ":".join(f"{byte:02X}" for byte in certificate.fingerprint(hashes.SHA256()))
