"""As much of ``conda create --dry-run --json`` as conda-lock needs, done by py-rattler.

conda-lock locks by asking a conda executable for its plan. None can be had offline, so the tests
give it this program.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys

from rattler import Gateway, MatchSpec, RepoDataRecord, VirtualPackage, solve


def main() -> None:
    """Print the plan for what the command line asks for."""
    if "--version" in sys.argv:
        print("conda 24.1.0")
    elif "info" in sys.argv:
        print(json.dumps({"virtual_pkgs": []}))
    else:
        print(json.dumps(asyncio.run(_plan(_arguments()))))
    sys.stdout.flush()
    os._exit(0)  # the threads of py-rattler can crash an interpreter that is being taken down


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("--prefix")
    parser.add_argument("--channel", action="append", default=[])
    for flag in ("--dry-run", "--json", "--override-channels", "--yes", "--no-default-packages"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_known_args()[0]


async def _plan(arguments: argparse.Namespace) -> dict[str, object]:
    specs = [word for word in sys.argv[2:] if not word.startswith("-")]
    given = {arguments.prefix, *arguments.channel}
    records = await solve(
        arguments.channel,
        [MatchSpec(spec) for spec in specs if spec not in given],
        gateway=Gateway(),
        platforms=[os.environ.get("CONDA_SUBDIR", "linux-64"), "noarch"],
        virtual_packages=VirtualPackage.detect(),
    )
    link = [_link(record) for record in records]
    fetch = [_fetch(record) for record in records]
    return {"success": True, "actions": {"LINK": link, "FETCH": fetch}}


def _link(record: RepoDataRecord) -> dict[str, object]:
    channel, _, subdir = record.url.rpartition("/")[0].rpartition("/")
    stem = record.file_name.removesuffix(".conda").removesuffix(".tar.bz2")
    return {
        "base_url": channel, "channel": channel, "dist_name": stem, "platform": subdir,
        "name": record.name.normalized, "version": str(record.version),
        "build_number": record.build_number, "build_string": str(record.build),
    }  # fmt: skip


def _fetch(record: RepoDataRecord) -> dict[str, object]:
    channel, _, subdir = record.url.rpartition("/")[0].rpartition("/")
    return {
        "channel": f"{channel}/{subdir}", "subdir": subdir, "url": record.url,
        "fn": record.file_name, "name": record.name.normalized, "version": str(record.version),
        "md5": record.md5.hex() if record.md5 else None,
        "sha256": record.sha256.hex() if record.sha256 else None,
        "depends": list(record.depends), "constrains": list(record.constrains), "timestamp": 0,
    }  # fmt: skip


if __name__ == "__main__":
    main()
