"""In the helper: how the user wants packages to be fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rattler import Client, Gateway
from rattler.config import Config


def configured(request: Mapping[str, Any]) -> Config:
    """Return pixi's configuration of this user, with what else is asked for on top."""
    sources = request["sources"]
    lines = [] if sources["verify"] else ["tls-no-verify = true"]
    lines.append("[mirrors]")
    # JSON texts and lists of texts are TOML as well.
    lines += [f"{json.dumps(url)} = {json.dumps(to)}" for url, to in sources["mirrors"].items()]
    own = Config.load_from_default_locations("pixi")
    return own.merge(Config.from_toml("\n".join(lines) + "\n"))


def client_of(request: Mapping[str, Any], config: Config) -> Client:
    """Return a client with the user's proxies, certificates, mirrors and credentials."""
    return Client.from_config(config, max_retries=request["retries"], user_agent="wetlands")


def gateway_of(request: Mapping[str, Any], config: Config) -> Gateway:
    """Return what reads the channels' indexes, and keeps them in the root."""
    folder = Path(request["repodata"])
    folder.mkdir(parents=True, exist_ok=True)
    return Gateway.from_config(config, cache_dir=folder, client=client_of(request, config))


def channels_of(request: Mapping[str, Any], config: Config) -> Sequence[str]:
    """Return the addresses of the channels, in order of preference."""
    sources = request["sources"]
    main = sources["channels"] or config.default_channels or sources["fallback"]
    return list(dict.fromkeys([*main, *sources["extra"]]))
