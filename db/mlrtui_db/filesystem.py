"""Which file system a path lies on: a store needs shared memory between processes, which network ones do not give."""

import re
from pathlib import Path

__all__ = ["filesystem_kind", "is_mounted_on", "network_kind", "network_warning"]

_MOUNTS = Path("/proc/mounts")

_NETWORK = frozenset(
    [
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "moosefs"),
        *("ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "virtiofs", "wekafs"),
        *("fuse.beegfs", "fuse.ceph", "fuse.davfs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.juicefs"),
        *("fuse.lustre", "fuse.mount-s3", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
    ]
)


def network_kind(path: Path | str, mounts: str | None = None) -> str | None:
    """The kind of network file system that ``path`` (or its nearest existing folder) lies on; None for a local one.

    ``mounts`` replaces the text of ``/proc/mounts``. Where there is no such table, the answer is None.
    """
    kind = filesystem_kind(path, mounts)
    return kind if kind in _NETWORK else None


def network_warning(path: Path | str, kind: str) -> str:
    """The risk of a store on a network file system of this kind, and what to do."""
    return (
        f"{path} lies on a network file system ({kind}): SQLite's log needs memory shared between processes, so the "
        "store can be damaged when two machines use it; move it to a local disk"
    )


def is_mounted_on(file: Path, mounts: str | None = None) -> bool:
    """Whether a file is a mount point itself; ``mounts`` as for `network_kind`, False where there is no such table."""
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return False
    points = (line.split(" ")[1] for line in mounts.splitlines() if line.count(" ") >= 2)
    return str(file) in map(_unescape, points)


def filesystem_kind(path: Path | str, mounts: str | None = None) -> str | None:
    """The type of the file system of ``path`` as the mount table spells it; None when there is no mount table."""
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None
    target = Path(path).resolve()
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_unescape(fields[1]))
        # A later line of equal depth is mounted over the earlier one.
        if target.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), fields[2])
    return None if best is None else best[1]


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
