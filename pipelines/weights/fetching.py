"""Published weights fetched once: with resume, a checksum, and a cache."""

import tarfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path
from threading import Event

from collectors.consent import ConsentPolicy
from collectors.downloader import Download, Downloader, DownloadSettings
from collectors.errors import InputError, RemoteError
from collectors.files import sha256_of_file, write_atomically
from collectors.http_client import user_agent
from collectors.progress import Progress, no_progress
from pipelines.weights.zoo import ZooWeights

_SETTINGS = DownloadSettings(per_host=1, attempts=4, deadline_s=3600.0, max_bytes=1_000_000_000)
# Of an archive, what training can start from; the SavedModel inside is as large again and of no use here.
_WANTED = (".index", ".pb", ".config", ".pbtxt")
_REPORT_EVERY_S = 0.25


def fetch_weights(
    weights: ZooWeights,
    cache: Path,
    *,
    mirror: str = "",
    settings: DownloadSettings = _SETTINGS,
    progress: Progress = no_progress,
) -> Path:
    """Return published weights on disk; fetch them first where the cache does not have them.

    A file is checked against the published checksum where there is one, and later against its own, which the cache
    keeps beside it. A download that broke off goes on where it stopped, also in a later process.

    Args:
        weights: Which.
        cache: Folder of downloads.
        mirror: URL of a folder with the files, instead of where they are published.
        settings: How to fetch.
        progress: Told how many bytes have come.

    Returns:
        The file, or of an archive the folder it was unpacked into.

    Raises:
        RemoteError: The server cannot be reached or does not have it; the message says how to do it by hand.
        InputError: What came is not what was published.
    """
    path = cache / weights.file_name
    unpacked = cache / weights.file_name.removesuffix(".tar.gz")
    if weights.is_archive and (unpacked / ".complete").is_file():
        return unpacked
    if not path.is_file():
        _download(weights, path, mirror, settings, progress)
    digest = _checked(weights, path)
    if not weights.is_archive:
        write_atomically(path.with_name(f"{path.name}.sha256"), f"{digest}  {path.name}\n")
        return path
    _unpack(path, unpacked, digest)
    path.unlink()
    return unpacked


def _download(weights: ZooWeights, path: Path, mirror: str, settings: DownloadSettings, progress: Progress) -> None:
    url = f"{mirror.rstrip('/')}/{weights.file_name}" if mirror else weights.url
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make this folder ({error.strerror})", where=str(path.parent)) from error
    stop = Event()
    downloader = Downloader(user_agent(), settings, ConsentPolicy(honour_robots=False, honour_robots_tag=False), stop)
    try:
        with ThreadPoolExecutor(1) as pool:
            transfer = pool.submit(downloader.fetch, url, part)
            try:
                while not wait_for([transfer], timeout=_REPORT_EVERY_S).done:
                    progress(part.stat().st_size if part.is_file() else 0, None, weights.name)
            except BaseException:
                stop.set()
                raise
            result = transfer.result()
    finally:
        downloader.close()
    if result.content is None:
        raise _unreachable(weights, url, path, result)
    write_atomically(path, result.content)
    part.unlink(missing_ok=True)


def _unreachable(weights: ZooWeights, url: str, path: Path, result: Download) -> RemoteError:
    if result.status:
        reason = f"the server answered {result.status}"
    else:
        reason = result.refusal.reason if result.refusal else "no answer"
    keep = "Run the same command again to go on with what came, or fetch" if result.num_bytes else "Fetch"
    return RemoteError(
        f"cannot fetch the weights `{weights.name}` ({reason})",
        where=url,
        fix=f"{keep} {weights.url} in another way and put it at {path}, then run the same command again.",
    )


def _checked(weights: ZooWeights, path: Path) -> str:
    """Return the checksum of a downloaded file; remove a file that is not what it should be."""
    digest = sha256_of_file(path)
    note = path.with_name(f"{path.name}.sha256")
    expected = weights.sha256 or (note.read_text(encoding="ascii").partition(" ")[0] if note.is_file() else "")
    if expected and digest != expected:
        path.unlink()
        note.unlink(missing_ok=True)
        raise InputError(
            f"is not what was published as `{weights.name}` (SHA-256 {digest[:9]}..., not {expected[:9]}...); removed",
            where=str(path),
            fix="Run the same command again; if it stays so, fetch it from another network.",
        )
    return digest


def _unpack(archive: Path, folder: Path, digest: str) -> None:
    """Unpack the checkpoint of a zoo archive, without the folder that holds everything in it."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                inside = Path(*Path(member.name).parts[1:])
                is_wanted = inside.name.endswith(_WANTED) or ".data-" in inside.name or inside.name == "checkpoint"
                if not member.isfile() or ".." in inside.parts or inside.parts[:1] == ("saved_model",) or not is_wanted:
                    continue
                stream = tar.extractfile(member)
                if stream is not None:
                    write_atomically(folder / inside, stream.read())
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        archive.unlink(missing_ok=True)
        reason = " ".join(str(error).split())
        raise InputError(
            f"is not a whole .tar.gz ({reason}); removed", where=str(archive), fix="Run the same command again."
        ) from error
    write_atomically(folder / ".complete", f"{digest}  {archive.name}\n")
