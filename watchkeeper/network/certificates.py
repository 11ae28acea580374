"""Whom a certificate names, read for people only: nothing here decides about trust."""

from __future__ import annotations

import ssl

from cryptography import x509
from cryptography.x509.oid import NameOID

from watchkeeper.network.stages import Presented

LONGEST_NAME = 40
# OpenSSL's codes of X509_verify_cert.
REASONS = {
    9: "not valid yet by our clock",
    10: "expired by our clock",
    18: "self-signed",
    19: "the issuer is not trusted",
    20: "the issuer is not trusted",
    21: "the issuer is not trusted",
    23: "revoked",
    62: "for another name",
    64: "for another address",
}


def refusal(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate was refused: our words, none of the far side's."""
    return REASONS.get(error.verify_code, "not accepted")


def read_certificate(der: bytes) -> Presented | None:
    """None where the bytes are no certificate that can be read."""
    try:
        found = x509.load_der_x509_certificate(der)
        return Presented(
            subject=_subject(found) or "nobody",
            issuer=_joined(found.issuer, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
            or "nobody",
            not_before=found.not_valid_before_utc,
            not_after=found.not_valid_after_utc,
        )
    except ValueError:
        return None


def _subject(certificate: x509.Certificate) -> str:
    """The common name, or, as most have none by now, the first name that it is for."""
    common = _joined(certificate.subject, NameOID.COMMON_NAME)
    if common:
        return common
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ""
    return harmless(", ".join(str(name.value) for name in tuple(names)[:1]))


def _joined(name: x509.Name, *wanted: x509.ObjectIdentifier) -> str:
    values = (a.value for oid in wanted for a in name.get_attributes_for_oid(oid)[:1])
    return harmless(", ".join(dict.fromkeys(str(value) for value in values)))


def harmless(text: str) -> str:
    """Foreign text, short, on one line, with nothing in it that a terminal obeys."""
    shown = "".join(c if c.isprintable() and c != '"' else "?" for c in text[:LONGEST_NAME])
    return shown + ("…" if len(text) > LONGEST_NAME else "")
