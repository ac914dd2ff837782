"""Which file system a path lies on, from made-up and real mount tables."""

from pathlib import Path

import pytest

from mlrtui_db.filesystem import filesystem_kind, network_kind

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /mnt/shared nfs4 rw 0 0
tmpfs /mnt/shared/fast tmpfs rw 0 0
me@box: /mnt/with\\040space fuse.sshfs rw 0 0
/dev/sdb1 /over ext4 rw 0 0
o2ib:/l /over lustre rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/home/me/a.db", "ext4", None),
        ("/mnt/shared/a.db", "nfs4", "nfs4"),
        ("/mnt/sharedness/a.db", "ext4", None),
        ("/mnt/shared/fast/a.db", "tmpfs", None),
        ("/mnt/with space/a.db", "fuse.sshfs", "fuse.sshfs"),
        ("/over/a.db", "lustre", "lustre"),
    ],
)
def test_the_deepest_and_last_mount_counts(path: str, kind: str, network: str | None) -> None:
    assert filesystem_kind(path, MOUNTS) == kind
    assert network_kind(path, MOUNTS) == network


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/mnt/shared")
    assert network_kind(tmp_path / "link" / "a.db", MOUNTS) == "nfs4"


def test_no_table_no_answer() -> None:
    assert network_kind("/a.db", "") is None


def test_this_machine_s_table_is_understood() -> None:
    if Path("/proc/mounts").exists():
        assert filesystem_kind("/proc/self") == "proc"
