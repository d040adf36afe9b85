"""In the helper: `CondaPackage` <-> py-rattler's records."""

from __future__ import annotations

import json

from rattler import PackageRecord, RepoDataRecord
from rattler.package import BuildString

from wetlands.environments.conda.package import CondaPackage


def from_record(record: RepoDataRecord) -> CondaPackage:
    """Return a record as plain data."""
    values = json.loads(record.to_json())
    noarch = values.get("noarch")
    values["noarch"] = {True: "generic", False: None}.get(noarch, noarch)
    values["channel"] = (values.get("channel") or "").rstrip("/")
    return CondaPackage.from_json(values)


def to_record(package: CondaPackage) -> RepoDataRecord:
    """Return plain data as a record."""
    record = PackageRecord(
        name=package.name,
        version=package.version,
        build=BuildString(package.build),
        build_number=package.build_number,
        subdir=package.subdir,
        noarch=package.noarch,
        depends=list(package.depends),
        constrains=list(package.constrains),
        sha256=bytes.fromhex(package.sha256) if package.sha256 else None,
        md5=bytes.fromhex(package.md5) if package.md5 else None,
        size=package.size,
        license=package.license,
        python_site_packages_path=package.python_site_packages_path,
    )
    channel = package.channel or package.url.rsplit("/", 2)[0]
    return RepoDataRecord(record, package.file_name, package.url, channel)
