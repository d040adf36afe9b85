"""`LockedPackage`: one file that a lock names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LockedPackage:
    """One package of a lock, as it is installed on one platform.

    Attributes:
        name: Its name, in canonical form.
        version: Its version; empty where the lock leaves it open, which it may for sources.
        kind: ``"pip"`` or ``"conda"``.
        url: Where its file is; ``file://`` for one on this machine. For sources under version
            control, the address of the repository.
        sha256: Of that file, in hexadecimal digits; empty where there is no file.
        md5: The same; only Conda packages have one.
        build: The build string of a Conda package.
        size: Of that file, in bytes; 0 when the lock does not say.
    """

    name: str
    version: str
    kind: str
    url: str
    sha256: str
    md5: str = ""
    build: str = ""
    size: int = 0
