"""Solving and installing with the real py-rattler, on the channel of the tests."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from tests.support.conda.archive import File, Package
from tests.support.conda.channel import SUBDIR, Channel
from tests.support.conda.server import ChannelServer
from wetlands.environments.conda import helper_process
from wetlands.environments.conda.engine import Engine
from wetlands.environments.conda.package import CondaPackage
from wetlands.environments.progress import ProvisioningEvent, Reporter
from wetlands.errors import ConfigurationError, CreationCanceledError, EnvironmentBuildError

BIG = 1_000_000


def names(engine: Engine, specs: list[str], channels: list[str], **options: object) -> list[str]:
    found = engine.solve(specs, channels, **options)  # type: ignore[arg-type]
    return [f"{package.name} {package.version}" for package in found.packages]


def only(engine: Engine, spec: str, channel: str) -> CondaPackage:
    (package,) = engine.solve([spec], [channel]).packages
    return package


# -- solving --------------------------------------------------------------------------------------


def test_a_solution_names_archives_with_their_hashes(
    engine: Engine, conda_channel: Channel
) -> None:
    solution = engine.solve(["needs-old"], [conda_channel.url])
    assert [package.name for package in solution.packages] == ["needs-old", "python", "toolbox"]
    assert solution.channels == (conda_channel.url,)
    toolbox = solution.packages[-1]
    assert toolbox.version == "1.0"
    assert toolbox.noarch == "python"
    assert toolbox.depends == ("python >=3.6",)
    assert toolbox.file_name == "toolbox-1.0-py_0.conda"
    assert toolbox.channel == conda_channel.url
    assert len(toolbox.sha256) == 64
    assert len(toolbox.md5) == 32
    assert toolbox.size == conda_channel.file("toolbox", "1.0").stat().st_size
    assert CondaPackage.from_json(json.loads(json.dumps(toolbox.to_json()))) == toolbox


def test_a_conflict_is_shown_as_a_tree(engine: Engine, conda_channel: Channel) -> None:
    with pytest.raises(EnvironmentBuildError) as caught:
        engine.solve(["needs-old", "needs-new"], [conda_channel.url])
    text = str(caught.value)
    assert "can't be had together" in text
    assert "toolbox 1.0, which conflicts with the versions reported above" in text
    assert "└─ toolbox <2" in text


@pytest.mark.parametrize(
    ("spec", "channel", "message"),
    [
        ("nothing-like-it", None, "No candidates were found for nothing-like-it"),
        ("actvars", "/no/such/folder", "/no/such/folder"),
    ],
)
def test_what_is_not_there_is_named(
    engine: Engine, conda_channel: Channel, spec: str, channel: str | None, message: str
) -> None:
    with pytest.raises(EnvironmentBuildError, match=message):
        engine.solve([spec], [channel or conda_channel.url])


def test_virtual_packages_are_this_machines_or_those_that_are_given(
    engine: Engine, conda_channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = [conda_channel.url]
    assert names(engine, ["needs-glibc"], channels) == ["needs-glibc 1.0"]
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "")
    with pytest.raises(EnvironmentBuildError, match="__cuda >=11, for which no candidates"):
        engine.solve(["needs-cuda"], channels)
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.2")
    assert "needs-cuda 1.0" in names(engine, ["needs-cuda"], channels)
    given = {"__cuda": "11.8"}
    assert "needs-cuda 1.0" in names(engine, ["needs-cuda"], channels, virtual_packages=given)
    with pytest.raises(EnvironmentBuildError, match="__glibc"):
        engine.solve(["needs-glibc"], channels, virtual_packages=given)


def test_another_platform_has_packages_of_its_own(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    other = conda_channel.copy(tmp_path / "copy")
    other.add(Package("actvars", "3.0", {}, subdir="osx-arm64", depends=["__osx >=11"]))
    other.index()
    assert names(engine, ["actvars"], [other.url], platform="osx-arm64") == ["actvars 3.0"]
    assert names(engine, ["actvars"], [other.url]) == ["actvars 1.0"]


def test_the_first_channel_that_has_a_package_is_its_only_one(
    engine: Engine, conda_channel: Channel, tmp_path: Path, home: Path
) -> None:
    second = Channel(tmp_path / "second")
    second.add(Package("actvars", "2.0", {}, subdir=SUBDIR))
    second.index()
    both = [conda_channel.url, second.url]
    assert names(engine, ["actvars"], both) == ["actvars 1.0"]
    assert names(engine, ["actvars"], both[::-1]) == ["actvars 2.0"]
    # A spec may name its channel, and is then asked there; the channel comes last for all else.
    named = [f"{second.url}::actvars", "needs-glibc"]
    assert names(engine, named, [conda_channel.url]) == ["actvars 2.0", "needs-glibc 1.0"]
    (home / ".condarc").write_text("channel_priority: disabled", encoding="utf-8")
    assert names(engine, ["actvars"], both) == ["actvars 2.0"]


def test_channels_without_a_name_are_those_of_the_users_files(
    engine: Engine, conda_channel: Channel, home: Path
) -> None:
    text = f"channel_alias: {conda_channel.path.parent.as_uri()}\nchannels: [{{}}]\n"
    (home / ".condarc").write_text(text.format(conda_channel.path.name), encoding="utf-8")
    assert names(engine, ["actvars"], []) == ["actvars 1.0"]
    (home / ".condarc").unlink()
    pixi = home / ".pixi" / "config.toml"
    pixi.parent.mkdir()
    pixi.write_text(f'default-channels = ["{conda_channel.url}"]', encoding="utf-8")
    assert names(engine, ["actvars"], []) == ["actvars 1.0"]


def test_packages_can_be_had_without_what_they_need(engine: Engine, conda_channel: Channel) -> None:
    channels = [conda_channel.url]
    found = names(engine, ["actvars"], channels, alone=["needs-old"])
    assert found == ["actvars 1.0", "needs-old 1.0"]
    assert names(engine, [], channels, alone=["toolbox"]) == ["toolbox 2.0"]
    with pytest.raises(EnvironmentBuildError, match="no candidates were found for toolbox >=3"):
        engine.solve([], channels, alone=["toolbox >=3"])


def test_constraints_and_locked_packages_are_kept(engine: Engine, conda_channel: Channel) -> None:
    channels = [conda_channel.url]
    old = engine.solve(["toolbox <2"], channels)
    assert "toolbox 1.0" in names(engine, ["toolbox"], channels, constraints=["toolbox <2"])
    assert "toolbox 1.0" in names(engine, ["toolbox"], channels, locked=old.packages)


# -- installing -----------------------------------------------------------------------------------


def test_packages_are_linked_from_a_cache_that_prefixes_share(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    package = only(engine, "actvars", conda_channel.url)
    prefixes = [tmp_path / "one", tmp_path / "two words, ünïcode"]
    for prefix in prefixes:
        engine.install([package], prefix)
        where = subprocess.check_output([prefix / "bin" / "actvars-where"], text=True)
        assert where == f"{prefix}/share/actvars\n"
        binary = (prefix / "share/actvars/prefix.bin").read_bytes()
        assert os.fsencode(prefix) + b"/share/actvars\0" in binary
    first, second = (prefix / "share/actvars/big.dat" for prefix in prefixes)
    assert first.stat().st_ino == second.stat().st_ino


def test_downloads_are_told_byte_by_byte_and_happen_once(
    engine: Engine, conda_channel: Channel, tmp_path: Path, events: list[ProvisioningEvent]
) -> None:
    with ChannelServer(conda_channel) as server:
        package = only(engine, "actvars", server.url)
        engine.install([package], tmp_path / "one")
        seen = [event for event in events if event.package == "actvars"]
        assert seen[-1].done == seen[-1].total == package.size
        assert "actvars: 1.1 of 1.1 MB" in seen[-1].message
        engine.install([package], tmp_path / "two")
        assert len(server.packages("actvars")) == 1


def test_a_connection_that_breaks_is_tried_again(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    with ChannelServer(conda_channel, drop_at=BIG // 2, drops=1) as server:
        engine.install([only(engine, "actvars", server.url)], tmp_path / "prefix")
        assert len(server.packages("actvars")) == 2


def test_a_lost_network_is_a_clear_error_and_keeps_what_is_here(
    engine: Engine, conda_channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wetlands.environments.conda.engine.RETRIES", 0)
    with ChannelServer(conda_channel, drop_at=BIG // 2) as server:
        packages = engine.solve(["actvars", "needs-glibc"], [server.url]).packages
        with pytest.raises(EnvironmentBuildError, match=r"Check the network.*\n.*actvars"):
            engine.install(packages, tmp_path / "prefix")
        assert len(server.packages("needs-glibc")) == 1
        server.faults.drop_at = None
        engine.install(packages, tmp_path / "prefix")
        assert len(server.packages("needs-glibc")) == 1
    with pytest.raises(EnvironmentBuildError, match="Check the network"):
        engine.solve(["actvars"], [server.url])


def test_a_wrong_hash_is_refused_over_http_and_on_disk(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    with ChannelServer(conda_channel, wrong={"actvars"}) as server:
        package = only(engine, "actvars", server.url)
        with pytest.raises(EnvironmentBuildError, match="not the one that it should be"):
            engine.install([package], tmp_path / "prefix")
        server.faults.wrong.clear()
        engine.install([package], tmp_path / "prefix")
    local = only(engine, "actvars", conda_channel.url)
    for wrong in ({"sha256": "0" * 64}, {"sha256": "", "md5": "0" * 32}):
        with pytest.raises(EnvironmentBuildError, match=r"hash mismatch of file://.*should be 0"):
            engine.install([dataclasses.replace(local, **wrong)], tmp_path / "other")
    with pytest.raises(EnvironmentBuildError, match="neither a sha256 nor an md5"):
        engine.install([dataclasses.replace(local, sha256="", md5="")], tmp_path / "other")


def test_a_wrong_hash_does_not_become_right_by_trying_twice(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    with ChannelServer(conda_channel) as server:
        package = only(engine, "actvars", server.url)
        engine.install([package], tmp_path / "right")
        wrong = dataclasses.replace(package, sha256="0" * 64)
        for _ in range(3):
            with pytest.raises(EnvironmentBuildError, match="hash mismatch"):
                engine.install([wrong], tmp_path / "wrong")
        engine.install([package], tmp_path / "right again")


def test_a_file_that_was_changed_in_the_cache_is_fetched_again(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    with ChannelServer(conda_channel) as server:
        package = only(engine, "actvars", server.url)
        engine.install([package], tmp_path / "one")
        # It is one file with that in the cache.
        with open(tmp_path / "one/share/actvars/big.dat", "r+b") as file:
            file.write(b"changed")
        engine.install([package], tmp_path / "two")
        assert (tmp_path / "two/share/actvars/big.dat").read_bytes() == bytes(1 << 20)
        assert len(server.packages("actvars")) == 2


@pytest.mark.parametrize("way", ["address", "file", "netrc", "condarc"])
def test_credentials_are_taken_from_where_people_keep_them(
    engine: Engine, conda_channel: Channel, tmp_path: Path, home: Path,
    monkeypatch: pytest.MonkeyPatch, way: str,
) -> None:  # fmt: skip
    with ChannelServer(conda_channel, credentials=("me", "s3cret")) as server:
        with pytest.raises(EnvironmentBuildError, match=r"wants credentials(.*\n)+.*401"):
            engine.solve(["actvars"], [server.url])
        channel = server.url
        host = {"username": "me", "password": "s3cret"}
        if way == "file":
            (tmp_path / "keys.json").write_text(json.dumps({"127.0.0.1": {"BasicHTTP": host}}))
            monkeypatch.setenv("RATTLER_AUTH_FILE", str(tmp_path / "keys.json"))
        elif way == "netrc":
            (home / ".netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
            (home / ".netrc").chmod(0o600)
        else:
            address = server.url.replace("//", "//me:s3cret@")
            channel = address if way == "address" else "private/channel"
            base = address.rpartition("/")[0]
            (home / ".condarc").write_text(f"custom_channels: {{private: '{base}/x'}}")
            if way == "condarc":
                (home / ".condarc").write_text(f"channel_alias: {base}")
                channel = "channel"
        package = only(engine, "actvars", channel)
        assert "s3cret" not in json.dumps(package.to_json())
        engine.install([package], tmp_path / "prefix", [channel])


def test_a_mirror_is_asked_in_the_place_of_a_channel(
    engine: Engine, conda_channel: Channel, tmp_path: Path, home: Path
) -> None:
    with ChannelServer(conda_channel) as server:
        mirrors = f"mirrored_channels: {{far: ['{server.url}']}}\n"
        (home / ".condarc").write_text(mirrors + "channel_alias: http://far.invalid")
        package = only(engine, "actvars", "far")
        assert package.url.startswith("http://far.invalid/far/")
        engine.install([package], tmp_path / "prefix")
        assert len(server.packages("actvars")) == 1


def test_a_prefix_that_is_too_long_is_refused_before_anything_is_fetched(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    with ChannelServer(conda_channel) as server:
        package = only(engine, "actvars", server.url)
        with pytest.raises(ConfigurationError, match="use a shorter name"):
            engine.install([package], tmp_path / ("x" * 120) / ("y" * 120) / "prefix")
        assert not server.packages()


# -- a helper that ends early ---------------------------------------------------------------------


def start(engine: Engine, package: CondaPackage, prefix: Path) -> tuple[threading.Thread, list]:
    errors: list[BaseException] = []

    def install() -> None:
        try:
            engine.install([package], prefix)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=install)
    thread.start()
    return thread, errors


def test_it_can_be_canceled_in_the_middle_of_a_download(
    root: Path, conda_channel: Channel, tmp_path: Path
) -> None:
    reporter = Reporter("test")
    engine = Engine(root, reporter)
    with ChannelServer(conda_channel, hold_at=BIG // 2) as server:
        package = only(engine, "actvars", server.url)
        thread, errors = start(engine, package, tmp_path / "prefix")
        server.wait_held()
        reporter.cancellation.cancel()
        thread.join(10)
        assert [type(error) for error in errors] == [CreationCanceledError]
        assert not psutil.Process().children(recursive=True)
        with pytest.raises(CreationCanceledError):
            engine.install([package], tmp_path / "prefix")
        server.release()
        Engine(root, Reporter("test")).install([package], tmp_path / "prefix")
    assert not [path for path in (root / "pkgs").glob(".*") if path.is_dir()]


def test_a_helper_that_dies_is_an_error_that_says_of_what(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    with ChannelServer(conda_channel, hold_at=BIG // 2) as server:
        package = only(engine, "actvars", server.url)
        thread, errors = start(engine, package, tmp_path / "prefix")
        server.wait_held()
        for child in psutil.Process().children():
            child.send_signal(signal.SIGSEGV)
        thread.join(10)
        assert isinstance(errors[0], EnvironmentBuildError)
        assert errors[0].returncode == -signal.SIGSEGV
        assert "died of SIGSEGV" in str(errors[0])
        server.release()
        engine.install([package], tmp_path / "prefix")
    litter = [path for path in (engine.cache.folder).glob(".*") if path.is_dir()]
    assert not litter


def test_a_panic_is_an_error_with_its_text(
    engine: Engine, conda_channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A BaseException that is no Exception, like the panics of py-rattler.
    code = helper_process._CODE.replace(
        "helper.main()",
        "helper.json.loads = lambda line: (_ for _ in ()).throw(KeyboardInterrupt('panicked'));"
        "helper.main()",
    )
    monkeypatch.setattr(helper_process, "_CODE", code)
    with pytest.raises(EnvironmentBuildError, match=r"died of exit status 1(.*\n)+.*panicked"):
        engine.solve(["actvars"], [conda_channel.url])


def test_many_processes_share_a_cold_cache(
    engine: Engine, conda_channel: Channel, root: Path, tmp_path: Path
) -> None:
    with ChannelServer(conda_channel) as server:
        package = only(engine, "actvars", server.url)
        code = (
            "import json, sys; from pathlib import Path\n"
            "from wetlands.environments.conda.engine import Engine\n"
            "from wetlands.environments.conda.package import CondaPackage\n"
            "from wetlands.environments.progress import Reporter\n"
            "package = CondaPackage.from_json(json.loads(sys.argv[1]))\n"
            "Engine(Path(sys.argv[2]), Reporter('x')).install([package], Path(sys.argv[3]))\n"
        )
        given = [json.dumps(package.to_json()), str(root)]
        processes = [
            subprocess.Popen([sys.executable, "-c", code, *given, str(tmp_path / f"p{n}")])
            for n in range(3)
        ]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
    for n in range(3):
        assert (tmp_path / f"p{n}" / "share/actvars/big.dat").stat().st_size == 1 << 20


def test_a_missing_extra_is_one_clear_error(
    engine: Engine, conda_channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helper_process.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'wetlands\[conda\]'"):
        engine.solve(["actvars"], [conda_channel.url])


def test_a_python_with_packages_runs(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    solution = engine.solve(["numpy", "toolbox"], [conda_channel.url])
    engine.install(solution.packages, tmp_path / "prefix")
    code = "import numpy, toolbox, ssl, sqlite3; print(numpy.ones(3).sum(), toolbox.new_api())"
    python = tmp_path / "prefix" / "bin" / "python"
    assert subprocess.check_output([python, "-I", "-c", code], text=True) == "3.0 2.0\n"
    shown = subprocess.check_output([tmp_path / "prefix" / "bin" / "toolbox"], text=True)
    assert shown == "toolbox 2.0\n"
    # What is not among the packages any more goes.
    engine.install([p for p in solution.packages if p.name != "numpy"], tmp_path / "prefix")
    assert not [*(tmp_path / "prefix").glob("lib/python*/site-packages/numpy/__init__.py")]


def test_a_package_that_fills_the_disk_says_so(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    small = Path("/dev/full")
    if not small.exists() or os.geteuid() != 0:
        pytest.skip("needs to mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs to mount a small file system")
    try:
        other = Channel(tmp_path / "large")
        other.add(Package("large", "1", {"share/large": File(os.urandom(3 << 20))}, subdir=SUBDIR))
        other.index()
        crowded = Engine(folder, Reporter("test"))
        package = only(engine, "large", other.url)
        with pytest.raises(EnvironmentBuildError, match="Free some space"):
            crowded.install([package], folder / "prefix")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("way", ["variable", "condarc"])
def test_proxies_are_used(
    engine: Engine, conda_channel: Channel, tmp_path: Path, home: Path,
    monkeypatch: pytest.MonkeyPatch, way: str,
) -> None:  # fmt: skip
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ChannelServer(conda_channel) as proxy:
        address = proxy.url.removesuffix("/channel")
        if way == "variable":
            monkeypatch.setenv("HTTP_PROXY", address)
        else:
            (home / ".condarc").write_text(f"proxy_servers: {{http: '{address}'}}", "utf-8")
        package = only(engine, "actvars", "http://far.invalid/channel")
        engine.install([package], tmp_path / "prefix")
        assert len(proxy.packages("actvars")) == 1


def test_a_download_that_stands_still_is_given_up(
    engine: Engine, conda_channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wetlands.environments.conda.engine.PATIENCE", 0.4)
    with ChannelServer(conda_channel, hold_at=BIG // 2) as server:
        package = only(engine, "actvars", server.url)
        with pytest.raises(EnvironmentBuildError, match=r"Check the network(.*\n)+.*stood still"):
            engine.install([package], tmp_path / "prefix")
        server.release()
        engine.install([package], tmp_path / "prefix")


def test_channels_that_do_not_answer_are_given_up(
    engine: Engine, conda_channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wetlands.environments.conda.engine.SOLVING", 0.0)
    with (
        ChannelServer(conda_channel) as server,
        pytest.raises(EnvironmentBuildError, match=r"Check the network(.*\n)+.*not read and"),
    ):
        engine.solve(["actvars"], [server.url])


def test_an_archive_of_this_machine_is_checked_even_if_the_cache_has_its_package(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    other = conda_channel.copy(tmp_path / "copy")
    package = only(engine, "actvars", other.url)
    engine.install([package], tmp_path / "one")
    archive = other.file("actvars")
    content = archive.read_bytes()
    archive.unlink()  # a link to the channel of all tests
    archive.write_bytes(content[:-1] + b"x")
    with open(tmp_path / "one/share/actvars/big.dat", "r+b") as file:
        file.write(b"changed, in the cache as well, so that the archive is needed again")
    with pytest.raises(EnvironmentBuildError, match="hash mismatch of file://"):
        engine.install([package], tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_an_archive_of_this_machine_is_hashed_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wetlands.environments.conda import helper, helper_check

    monkeypatch.setattr(helper_check, "_SETTLED", timedelta(0))
    archive, known = tmp_path / "it-1-0.conda", tmp_path / "known"

    def check(content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        package = CondaPackage("it", "1", "0", archive.as_uri(), sha256=digest)
        asyncio.run(helper_check.check([package], known))

    archive.write_bytes(b"one")
    check(b"one")
    written = archive.stat()
    with monkeypatch.context() as patch:
        patch.delattr(helper_check, "_hash")
        check(b"one")
    archive.write_bytes(b"two")
    os.utime(archive, ns=(written.st_atime_ns, written.st_mtime_ns))
    with pytest.raises(helper.HashError, match="hash mismatch"):
        check(b"one")
    check(b"two")


def test_calls_within_a_block_share_a_helper(
    engine: Engine, conda_channel: Channel, tmp_path: Path
) -> None:
    with engine:
        package = only(engine, "actvars", conda_channel.url)
        (first,) = psutil.Process().children()
        engine.install([package], tmp_path / "prefix")
        assert psutil.Process().children() == [first]
        with pytest.raises(EnvironmentBuildError):
            engine.solve(["nothing-like-it"], [conda_channel.url])
        assert not psutil.Process().children(), "what failed may still be at work"
        assert only(engine, "actvars", conda_channel.url) == package
    assert not psutil.Process().children()
