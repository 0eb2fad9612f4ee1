"""Fetch the pinned Java artifacts of artifacts.json, verified, into a cache all checkouts share.

A directory in the cache is complete or absent: files are downloaded aside, each compared with its
SHA-256, assembled in a staging directory and renamed into place under a lock, so that two
processes may ask for the same artifact, and a killed download leaves nothing that looks finished.
Files already verified are kept between attempts. Every file of a cached directory is compared
with its SHA-256 each time it is asked for; of a damaged one, only what is needed is fetched again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import platformdirs
import requests
import truststore
from filelock import FileLock
from jgo.maven import MavenContext
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from deploy.errors import DownloadError
from deploy.local.disk import require_free
from deploy.local.java import require_class_path

PINNED = Path(__file__).with_name("artifacts.json")
MANIFEST = "sha256.json"
DOWNLOAD_ATTEMPTS = 3
TIMEOUT_S = 30  # without a byte, not in total

Progress = Callable[[str], None]


class File(msgspec.Struct, frozen=True):
    coordinate: str  # group:artifact:version
    sha256: str
    classifier: str = ""
    type: str = "jar"

    @property
    def name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return "-".join(filter(None, (artifact, version, self.classifier))) + f".{self.type}"


class Artifact(msgspec.Struct, frozen=True):
    version: str
    download_mb: int
    unpacked_mb: int
    files: list[File]


def pinned(path: Path = PINNED) -> dict[str, Artifact]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Artifact])


def cache_directory() -> Path:
    """HCP_CACHE_DIR, or where this system keeps caches."""
    configured = os.environ.get("HCP_CACHE_DIR")
    if not configured:
        return platformdirs.user_cache_path("hcp")
    try:
        return Path(configured).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise DownloadError(
            f"HCP_CACHE_DIR is {configured!r}, which leads nowhere: {error}."
        ) from error


def fetch(name: str, progress: Progress, artifacts: dict[str, Artifact] | None = None) -> Path:
    """The directory that holds the files of one artifact; downloads them where they are missing.

    Raises DownloadError or NoSpaceError, each saying what to do.
    """
    artifact = (artifacts or pinned())[name]
    cache = cache_directory()
    require_class_path(cache, "HCP_CACHE_DIR")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return fetch_into(cache, name, artifact, progress)
    except OSError as error:
        raise DownloadError(
            f"The downloads cannot be kept in {cache} ({error.strerror or error}): free some "
            "space, or choose another directory with HCP_CACHE_DIR."
        ) from error


def fetch_into(cache: Path, name: str, artifact: Artifact, progress: Progress) -> Path:
    target = cache / f"{name}-{artifact.version}-{fingerprint(artifact)}"
    with FileLock(cache / f"{name}.lock"):
        damaged = damaged_file(target) if target.exists() else None
        if target.exists() and damaged is None:
            return target
        require_free(cache, artifact.download_mb + artifact.unpacked_mb, f"to fetch {name}")
        if damaged:
            progress(f"cached {damaged} is damaged; fetching it again")
        else:
            progress(f"fetching {name} {artifact.version} (about {artifact.download_mb} MB)")
        downloads = cache / f"{name}.downloads"
        downloads.mkdir(exist_ok=True)
        for left_by_a_killed_one in downloads.glob("partial-*"):
            shutil.rmtree(left_by_a_killed_one)
        salvage(artifact, target, downloads)
        try:
            for file in artifact.files:
                download(file, downloads)
        except DownloadError as error:
            if damaged is None:
                raise
            raise DownloadError(f"Cached {damaged} is damaged. {error}") from error
        with tempfile.TemporaryDirectory(dir=downloads, prefix="partial-") as staging:
            assemble(artifact, downloads, Path(staging) / "content")
            shutil.rmtree(target, ignore_errors=True)
            os.rename(Path(staging) / "content", target)
        shutil.rmtree(downloads)
        return target


def fingerprint(artifact: Artifact) -> str:
    """Changes with any pinned file, so that an edited pin never meets an old directory."""
    return hashlib.sha256("".join(f.sha256 for f in artifact.files).encode()).hexdigest()[:8]


def damaged_file(target: Path) -> Path | None:
    """The first file that is not as it was when it was verified and assembled."""
    try:
        sums: dict[str, str] = json.loads((target / MANIFEST).read_text())
    except (OSError, ValueError):
        return target / MANIFEST
    for name, expected in sums.items():
        try:
            if sha256(target / name) != expected:
                return target / name
        except OSError:
            return target / name
    return None


def salvage(artifact: Artifact, target: Path, downloads: Path) -> None:
    """Take over what a damaged directory still holds of the pinned files themselves."""
    for file in artifact.files:
        cached, verified = target / file.name, downloads / file.sha256
        if verified.exists() or not cached.is_file() or sha256(cached) != file.sha256:
            continue
        with tempfile.TemporaryDirectory(dir=downloads, prefix="partial-") as partial:
            shutil.copyfile(cached, Path(partial) / "copy")
            os.rename(Path(partial) / "copy", verified)


def download(file: File, downloads: Path) -> None:
    """Put the file at downloads/<sha256>, verified; nothing to do where it is there already."""
    verified = downloads / file.sha256
    if verified.exists():
        return
    require_url(os.environ.get("HCP_MAVEN_REPOSITORY"))
    truststore.inject_into_ssl()
    # it compares with the repository's own checksum; ours decides, and has a sentence for it
    logging.getLogger("jgo").setLevel(logging.CRITICAL)
    attempts = Retrying(
        retry=retry_if_exception_type(requests.RequestException),
        stop=stop_after_attempt(DOWNLOAD_ATTEMPTS),
        wait=wait_exponential(max=5),
        reraise=True,
    )
    with tempfile.TemporaryDirectory(dir=downloads, prefix="partial-") as partial:
        try:
            path = attempts(request, file, Path(partial))
        except requests.RequestException as error:
            raise DownloadError(
                f"Cannot download {file.name}: {reason(error)}. Fetching needs the network; "
                "what was fetched so far is kept, so run the same command again."
            ) from error
        except RuntimeError as error:  # jgo's word for any answer but 200
            raise DownloadError(
                f"The Maven repository has no {file.coordinate} to give: check "
                "HCP_MAVEN_REPOSITORY, or a proxy between here and the repository."
            ) from error
        actual = sha256(path)
        if actual != file.sha256:
            raise DownloadError(
                f"{file.name} was corrupted on its way (SHA-256 {actual[:12]}…, expected "
                f"{file.sha256[:12]}…); it was discarded, so run the same command again."
            )
        os.rename(path, verified)


def require_url(mirror: str | None) -> None:
    if not mirror:
        return
    parts = urlsplit(mirror)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise DownloadError(
            f"HCP_MAVEN_REPOSITORY is {mirror!r}, which is not a URL: it must begin with https:// "
            "or http:// and name a host."
        )


def request(file: File, directory: Path) -> Path:
    shutil.rmtree(directory / "maven", ignore_errors=True)  # a retry starts from nothing
    mirror = os.environ.get("HCP_MAVEN_REPOSITORY")
    context = MavenContext(
        repo_cache=directory / "maven",
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
        timeout=TIMEOUT_S,
    )
    group, name, version = file.coordinate.split(":")
    component = context.project(group, name).at_version(version)
    return Path(component.artifact(file.classifier, file.type).resolve())


def reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "the repository's TLS certificate is not trusted here"
    if isinstance(error, requests.Timeout):
        return f"the repository sent nothing for {TIMEOUT_S} s"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the configured proxy refused the connection"
    return "the Maven repository cannot be reached"


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def assemble(artifact: Artifact, downloads: Path, content: Path) -> None:
    """Archives unpacked, jars side by side, and the SHA-256 of each file of it."""
    content.mkdir()
    for file in artifact.files:
        if file.type == "tar.gz":
            with tarfile.open(downloads / file.sha256) as archive:
                if hasattr(tarfile, "data_filter"):
                    archive.extraction_filter = tarfile.data_filter
                archive.extractall(content)  # its checksum is ours: before 3.11.4 that suffices
        else:
            shutil.copyfile(downloads / file.sha256, content / file.name)
    paths = [path for path in sorted(content.rglob("*")) if path.is_file()]
    sums = {str(path.relative_to(content)): sha256(path) for path in paths}
    (content / MANIFEST).write_text(json.dumps(sums))
