"""Which PACS there are: endpoints that whoever runs the installation writes into a settings file.

``settings.toml`` in the data folder, or where ``LUNGS_SETTINGS`` says:

    [pacs.hospital]
    url = "https://pacs.example/dicom-web"
    username = "lungs"
    password_file = "/run/secrets/pacs"
"""

import ipaddress
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lung_models.radiograph import Refusal
from lung_models.records.database import data_folder

TIMEOUT_SECONDS = 20.0
KNOWN = {"url", "username", "password", "password_file", "password_env", "timeout_seconds", "ca_bundle"}
KNOWN |= {"allow_plain_http"}


class PacsError(Refusal):
    """What went wrong with a PACS, in one line that says what to do."""


@dataclass(frozen=True)
class Endpoint:
    """Where a PACS is and how to sign in.

    Args:
        name: What it is called in the settings.
        url: Root of its DICOMweb services.
        username: To sign in with; empty for none.
        password: The same.
        timeout_seconds: How long it may take to answer.
        ca_bundle: File of certificates to trust instead of the system's.
    """

    name: str
    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = TIMEOUT_SECONDS
    ca_bundle: str = ""


def settings_path() -> Path:
    """The settings file."""
    return Path(os.environ.get("LUNGS_SETTINGS") or data_folder() / "settings.toml")


def endpoints() -> dict[str, Endpoint]:
    """The configured endpoints by name; empty when there are none.

    Raises:
        PacsError: when the settings cannot be read or do not make sense.
    """
    path = settings_path()
    if not path.is_file():
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("pacs", {})
        return {name: _endpoint(name, table) for name, table in tables.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise PacsError(f"The settings in {path} cannot be read ({type(error).__name__}): see docs/pacs.md.") from error


def endpoint(name: str | None = None) -> Endpoint:
    """The endpoint of a name, or the only one.

    Raises:
        PacsError: when there is none of that name, or several and no name.
    """
    known = endpoints()
    if not known:
        raise PacsError(f"No PACS is configured: write [pacs.NAME] with its url into {settings_path()}.")
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name not in known:
        raise PacsError(f"Name one of the configured PACS with --endpoint: {', '.join(sorted(known))}.")
    return known[name]


def _endpoint(name: str, table: dict[str, Any]) -> Endpoint:
    if unknown := set(table) - KNOWN:
        raise PacsError(f"[pacs.{name}] has settings that are not known: {', '.join(sorted(unknown))}.")
    url = str(table.get("url", "")).rstrip("/")
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise PacsError(f"[pacs.{name}] needs a url that begins with https://.")
    if address.scheme == "http" and not (_is_loopback(address.hostname) or table.get("allow_plain_http") is True):
        raise PacsError(f"[pacs.{name}] would send patients' data unencrypted: use https, or set allow_plain_http.")
    return Endpoint(
        name,
        url,
        str(table.get("username", "")),
        _password(name, table),
        float(table.get("timeout_seconds", TIMEOUT_SECONDS)),
        str(table.get("ca_bundle", "")),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _password(name: str, table: dict[str, Any]) -> str:
    if "password_file" in table:
        try:
            return Path(table["password_file"]).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise PacsError(f"The password_file of [pacs.{name}] cannot be read: {error.strerror}.") from error
    if "password_env" in table:
        return os.environ.get(str(table["password_env"]), "")
    return str(table.get("password", ""))
