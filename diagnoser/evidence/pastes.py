"""What happens to a transcript between the console and us, undone before it is read.

Secrets go first: nothing behind this module has ever seen one. Then the marks of quoted mail, and
Windows PowerShell's error records: it turns the first line that a program writes to stderr into

    openssl.exe : depth=2 C = US, O = "GoDaddy.com, Inc.", CN = Go Daddy Root Cert
    ificate Authority - G2
    At line:1 char:1
    + openssl s_client -connect eu-cloud.acronis.com:443 > output3.txt 2>&1
    + ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
        + CategoryInfo          : NotSpecified: (depth=2 C = US...:String) [], RemoteException
        + FullyQualifiedErrorId : NativeCommandError

broken at the width of the window, with words in the user's language. The record becomes the line
that it was, and the command it quotes, often the only place that names the host, stands above.
"""

from __future__ import annotations

import re

from diagnoser.deferral import pattern

# Stands before a command that a record quotes: unlike a prompt it need not begin a run.
ECHO = "\x04"
# Stands where a command was shortened: what options followed is not known.
CUT = "\x05"

_SECRETS = pattern(
    r"(?:Master-Key|Resumption PSK|PSK identity(?: hint)?|Session-ID(?:-ctx)?|Key-Arg)"
    r"[ \t]*:[ \t]*(?:[0-9A-Fa-f]+|None)?"
    # A ticket is dumped sixteen bytes a line; flattened, its lines stand one behind the other.
    r"|^[ \t]*[0-9a-f]{4} - (?:[0-9a-f]{2}[ -]){1,16}[^\n]{0,40}$"
    r"|(?<=\s)[0-9a-f]{4} - (?:[0-9a-f]{2}[ -]){1,16}",
    re.MULTILINE,
)
_QUOTE = pattern(r"^(?:> ?)+", re.MULTILINE)
_REST = r"[^\n]{0,1000}"
_RECORD = pattern(
    r"^(?:[^\n:]{0,260}[\\/])?openssl(?:\.exe)? : "
    rf"(?P<message>{_REST}(?:\n(?!\+ ){_REST}){{0,12}}?)"
    r"\n[^\n+]{1,300}?:\d{1,7} [^\n:+]{1,40}:\d{1,5}[ \t]*"
    rf"\n\+ (?P<command>{_REST}(?:\n(?!\+ ){_REST}){{0,12}}?)"
    rf"\n\+ +~{_REST}(?:\n~+{_REST}){{0,12}}"
    rf"\n +\+ CategoryInfo{_REST}(?:\n(?! *\+ ){_REST}){{0,12}}?"
    rf"\n +\+ FullyQualifiedErrorId{_REST}(?:\n[ \t]{{0,200}}$)?",
    re.MULTILINE,
)
# Where a command goes on in the next line: \ in a shell, ` in PowerShell, ^ in cmd, with the sign
# that the console puts before what follows.
JOINT = r"[\\`^][ \t]{0,20}\n[ \t]{0,80}(?:>{1,2}[ \t]?|More\?[ \t]?)?"
_CONTINUED = pattern(r"\bs_client\b(?:[^\n]{0,1000}[ \t][\\`^][ \t]{0,20}\n){1,20}[^\n]{0,1000}")
# What is left where a record is cut or of another shape.
_REMAINS = pattern(r"^[^\n]*\b(?:CategoryInfo|FullyQualifiedErrorId)\b[^\n]*$", re.MULTILINE)


def drop_secrets(text: str) -> str:
    """``text`` without master keys, pre-shared keys, sessions and tickets; lines stay where they
    are, so that an error beside the transcript keeps its place."""
    return _SECRETS.sub("", text)


def tidy(text: str) -> str:
    """``text`` without secrets, PowerShell's error records and marks of quoted mail; a command
    that goes on over several lines stands in one."""
    bare = _QUOTE.sub("", drop_secrets(text.replace(ECHO, "").replace(CUT, "")))
    whole = _CONTINUED.sub(lambda m: re.sub(JOINT, " ", m[0]), bare)
    return _REMAINS.sub("", _RECORD.sub(_line, whole))


def _line(record: re.Match[str]) -> str:
    message, command = (record[key].replace("\n", "") for key in ("message", "command"))
    # A command too long for the record is shortened on both sides.
    command = re.sub(r"\S*\s?\.\.\.\s*$", f" {CUT}", command)
    return f"{ECHO}{command}\n{message}" if "s_client" in command else message
