"""Downloads from a real HTTP server: verified, cached, shared, and refused when they differ."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.errors import DownloadError
from deploy.local.artifacts import fetch, pinned
from deploy.local.ports import choose_free
from tests.deploy.maven import Repository, artifact, repository

ONE, TWO = "org.example:one:1.0", "org.example:two:2.0"


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    with repository() as served:
        monkeypatch.setenv("HCP_MAVEN_REPOSITORY", served.url)
        monkeypatch.setenv("HCP_CACHE_DIR", str(tmp_path / "cache"))
        yield served


def ignore(_: str) -> None:
    pass


def test_files_are_fetched_once_and_then_come_from_the_cache(maven: Repository) -> None:
    wanted = artifact(maven.add(ONE, b"first"), maven.add(TWO, b"second"))
    directory = fetch("trial", ignore, wanted)
    assert (directory / "one-1.0.jar").read_bytes() == b"first"
    assert (directory / "two-2.0.jar").read_bytes() == b"second"
    maven.requests.clear()
    assert fetch("trial", ignore, wanted) == directory
    assert maven.requests == []


def test_a_corrupted_download_is_refused_and_the_next_attempt_can_succeed(
    maven: Repository, tmp_path: Path
) -> None:
    wanted = artifact(maven.add(ONE, b"first"))
    maven.replace_all(b"something else")
    with pytest.raises(DownloadError, match=r"^one-1\.0\.jar was corrupted on its way") as caught:
        fetch("trial", ignore, wanted)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").glob("trial-*"))
    maven.replace_all(b"first")
    assert (fetch("trial", ignore, wanted) / "one-1.0.jar").read_bytes() == b"first"


def test_a_file_verified_before_a_failure_is_not_fetched_again(maven: Repository) -> None:
    first = maven.add(ONE, b"first")
    second = maven.add(TWO, b"second")
    broken = maven.content.pop("/org/example/two/2.0/two-2.0.jar")
    with pytest.raises(DownloadError, match=r"has no org\.example:two:2\.0"):
        fetch("trial", ignore, artifact(first, second))
    maven.content["/org/example/two/2.0/two-2.0.jar"] = broken
    maven.requests.clear()
    fetch("trial", ignore, artifact(first, second))
    assert not [path for path in maven.requests if "/one/" in path]


def test_without_a_network_the_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, maven: Repository
) -> None:
    wanted = artifact(maven.add(ONE, b"first"))
    (closed,) = choose_free(1)
    monkeypatch.setenv("HCP_MAVEN_REPOSITORY", f"http://127.0.0.1:{closed}")
    with pytest.raises(DownloadError, match="Fetching needs the network"):
        fetch("trial", ignore, wanted)


@pytest.mark.parametrize("damage", [b"fi", b"fIrst"])
def test_a_damaged_file_is_noticed_and_it_alone_is_fetched_again(
    maven: Repository, damage: bytes
) -> None:
    wanted = artifact(maven.add(ONE, b"first"), maven.add(TWO, b"second"))
    jar = fetch("trial", ignore, wanted) / "one-1.0.jar"
    jar.write_bytes(damage)
    maven.requests.clear()
    said: list[str] = []
    assert fetch("trial", said.append, wanted) == jar.parent
    assert jar.read_bytes() == b"first"
    assert said == [f"cached {jar} is damaged; fetching it again"]
    assert not [path for path in maven.requests if "/two/" in path]


def test_a_damaged_file_without_a_network_is_named(
    monkeypatch: pytest.MonkeyPatch, maven: Repository
) -> None:
    wanted = artifact(maven.add(ONE, b"first"), maven.add(TWO, b"second"))
    jar = fetch("trial", ignore, wanted) / "two-2.0.jar"
    jar.write_bytes(b"s3cond")
    (closed,) = choose_free(1)
    monkeypatch.setenv("HCP_MAVEN_REPOSITORY", f"http://127.0.0.1:{closed}")
    for _ in range(2):  # a failed repair changes nothing
        with pytest.raises(DownloadError, match=r"two-2\.0\.jar is damaged\. Cannot") as caught:
            fetch("trial", ignore, wanted)
        assert str(caught.value).startswith(f"Cached {jar} is damaged. ")


def test_a_repository_that_is_no_url_is_refused(
    monkeypatch: pytest.MonkeyPatch, maven: Repository
) -> None:
    monkeypatch.setenv("HCP_MAVEN_REPOSITORY", "foo")
    with pytest.raises(DownloadError, match="HCP_MAVEN_REPOSITORY is 'foo', which is not a URL"):
        fetch("trial", ignore, artifact(maven.add(ONE, b"first")))


def test_only_we_speak_of_a_checksum_that_differs(
    maven: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = artifact(maven.add(ONE, b"first"))
    for path in list(maven.content):
        maven.content[f"{path}.sha1"] = b"0" * 40
    fetch("trial", ignore, wanted)
    assert any(path.endswith(".sha1") for path in maven.requests)
    assert not caplog.records


def test_many_may_ask_at_once_and_one_downloads(maven: Repository) -> None:
    wanted = artifact(maven.add(ONE, b"first" * 100_000))
    with ThreadPoolExecutor(8) as pool:
        directories = set(pool.map(lambda _: fetch("trial", ignore, wanted), range(8)))
    assert len(directories) == 1
    assert len([path for path in maven.requests if path.endswith(".jar")]) == 1


def test_every_pin_names_one_version_and_a_whole_checksum() -> None:
    files = [file for entry in pinned().values() for file in entry.files]
    assert len(files) > 40
    for file in files:
        assert len(file.coordinate.split(":")) == 3, file
        assert len(bytes.fromhex(file.sha256)) == 32, file
