"""Names of channels -> addresses, with the credentials apart.

Credentials in an address (``https://user:password@host/``, ``https://host/t/<token>/``) never reach
a lock, a record, a log or a command line: they go to py-rattler in a file without a name, in the
format of its own (``~/.rattler/credentials.json``), for the time of one call.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from wetlands.environments.conda.condarc import Condarc
from wetlands.environments.conda.specs import channels_of, split_spec

_TOKEN = re.compile(r"^/t/([^/]+)(?=/|$)")
_KNOWN = {"nodefaults", "local"}


@dataclass(frozen=True)
class Sources:
    """Where packages come from.

    Attributes:
        channels: Addresses, the one to prefer first; empty if nobody named any.
        fallback: The address to use then, unless pixi's configuration has another.
        extra: Addresses that come last of all: those that specs name.
        specs: The specs, their channels as addresses.
        priority: How channels take precedence.
        credentials: What hosts have to be shown, in the format of py-rattler's file.
        mirrors: Other addresses of channels.
        variables: Environment variables for whoever fetches.
        verify: Whether certificates are checked.
    """

    channels: tuple[str, ...]
    fallback: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    specs: tuple[str, ...] = ()
    priority: str = "strict"
    credentials: Mapping[str, Any] = field(default_factory=dict)
    mirrors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True


def find_sources(channels: Iterable[str], specs: Sequence[str], condarc: Condarc) -> Sources:
    """Return where the packages of a recipe come from.

    A channel that a spec names is asked as well, after all others.
    """
    credentials: dict[str, Any] = {}

    def addresses(name: str) -> list[str]:
        return [_without_credentials(url, credentials) for url in resolve(name, condarc)]

    named = [*channels] or [*condarc.channels]
    found = [url for name in named for url in addresses(name)]
    own = [url for name in channels_of(specs) for url in addresses(name)]
    mirrors = {
        original: [_without_credentials(url, credentials) for url in others]
        for name, others in condarc.mirrors.items()
        for original in addresses(name)
    }
    return Sources(
        channels=tuple(dict.fromkeys(found)),
        fallback=tuple(addresses("conda-forge")),
        extra=tuple(dict.fromkeys(own)),
        specs=tuple(_addressed(spec, addresses) for spec in specs),
        priority=condarc.priority or "strict",
        credentials=credentials,
        mirrors=mirrors,
        variables=_variables(condarc),
        verify=condarc.verify is not False,
    )


def resolve(name: str, condarc: Condarc) -> list[str]:
    """Return the addresses of a channel, with the credentials that they carry."""
    name = name.strip().rstrip("/")
    if name in _KNOWN:
        return []
    if name == "defaults":
        return [url for each in condarc.defaults for url in resolve(each, condarc)]
    if name in condarc.groups:
        return [url for each in condarc.groups[name] for url in resolve(each, condarc)]
    if "://" in name:
        return [name]
    if name.startswith((".", "/", "~")) or os.path.isabs(name):
        return [Path(name).expanduser().absolute().as_uri()]
    base = condarc.custom.get(name.split("/")[0], condarc.alias)
    return [f"{base}/{name}"]


def _addressed(spec: str, addresses: Any) -> str:
    channel, name, rest = split_spec(spec)
    urls = addresses(channel) if channel else []
    plain = f"{name} {rest}".strip()
    return f"{urls[0]}::{plain}" if urls else plain


def _without_credentials(url: str, found: dict[str, Any]) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    token = _TOKEN.match(parts.path)
    if parts.username:
        secret = {"username": unquote(parts.username), "password": unquote(parts.password or "")}
        found[host] = {"BasicHTTP": secret}
    elif token:
        found[host] = {"CondaToken": token[1]}
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, netloc, _TOKEN.sub("", parts.path), "", "")).rstrip("/")


def _variables(condarc: Condarc) -> dict[str, str]:
    # conda also has proxies for one host, which no variable can say.
    proxies = {scheme: url for scheme, url in condarc.proxies.items() if scheme.isalpha()}
    wanted = {f"{scheme.upper()}_PROXY": url for scheme, url in proxies.items()}
    if isinstance(condarc.verify, str):
        wanted["SSL_CERT_FILE"] = condarc.verify
    known = {name.upper() for name in os.environ}
    return {name: value for name, value in wanted.items() if name not in known}


def credentials_file(sources: Sources, environ: Mapping[str, str]) -> str | None:
    """Return the content of a file for ``RATTLER_AUTH_FILE``, None if there is nothing to add.

    What the user's own file of that name says about other hosts stays.
    """
    if not sources.credentials:
        return None
    own: Any = {}
    if path := environ.get("RATTLER_AUTH_FILE"):
        try:
            own = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            own = {}
    return json.dumps({**(own if isinstance(own, dict) else {}), **sources.credentials})
