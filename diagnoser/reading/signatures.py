"""What a file is by its first bytes: compressed, an archive, a program with one in it.

Nothing is opened here, so that a plain log loads none of what opens them.
"""

from __future__ import annotations

from typing import BinaryIO

# A member of a zip archive comes first, or of an empty one the end of its directory.
ZIP_MEMBER, _ZIP_END = b"PK\x03\x04", b"PK\x05\x06"
ZIP = (ZIP_MEMBER, _ZIP_END)
GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
FOREIGN = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"MSCF\0\0\0\0", "a cab archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd stream"),
    (b"\x04\x22\x4d\x18", "an lz4 stream"),
)
# The end of a zip archive's directory, with the longest comment.
_LONGEST_END = 22 + 0xFFFF


def is_tar(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a tar archive (POSIX.1-1988 or later)."""
    return head[257:262] == b"ustar"


def is_packed(head: bytes) -> bool:
    """Whether a file that begins with ``head`` (262 bytes or more) is compressed or an archive."""
    known = (*ZIP, GZIP, BZIP2, XZ, *(magic for magic, _ in FOREIGN))
    return head.startswith(known) or is_tar(head)


def may_unpack_itself(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a program: Windows unpacks system reports so."""
    return head.startswith((b"MZ", b"\x7fELF"))


def holds_zip(stream: BinaryIO) -> bool:
    """Whether the directory of a zip archive stands at the end of ``stream``; its place stays."""
    place = stream.tell()
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _LONGEST_END))
    found = stream.read(_LONGEST_END).rfind(_ZIP_END) >= 0
    stream.seek(place)
    return found
