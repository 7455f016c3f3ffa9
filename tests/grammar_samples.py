"""What the samples of each form read as: every frame with its line, tag, message and fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "sample_logs"


@dataclass(frozen=True)
class Frame:
    name: str
    line: int
    message: str | None
    fields: dict[str, str] = field(default_factory=dict)
    tag: str | None = None


@dataclass(frozen=True)
class Block:
    """``fields`` of a frame are all its fields, those inside documents as ``path/key``."""

    form: str
    line: int
    frames: tuple[Frame, ...]
    at: str | None = None
    damage: str = ""
    language: str | None = "en"


SSL = "Could not perform SSL_write() call:"
GO_CA = (
    "Post https://eu2-cloud.acronis.com/api/agent_manager/v2/agent_registrations: x509:"
    " certificate signed by unknown authority"
)
REGISTERING = f"ensure agent registration: test registration with agent manager: {GO_CA}"
REFUSED = (
    'Get "https://account.acronis.com/v2/licenses": dial tcp 203.0.113.9:443: connect:'
    " connection refused"
)
CHANNEL = "tol-activity#5D0E4B7C-1A35-4B0E-9E3C-6A77F04B5A10"
UNKNOWN_CA = "The certificate could not be matched with a known, trusted CA"

FORMS_TABLE: dict[str, tuple[Block, ...]] = {
    "session-tls.log": (
        Block(
            "session",
            2,
            (
                Frame(
                    "667/3",
                    3,
                    "connected to 203.0.113.45:44445, but failed to start a session with a"
                    " gateway: -3 (Authentication failure due to wrong credentials)",
                    {"client": "cl#21", "address": "203.0.113.45", "port": "44445"},
                ),
                Frame(
                    "OpenSSL/14094412",
                    2,
                    "TLS connect failed with error 'error:14094412:SSL"
                    " routines:ssl3_read_bytes:sslv3 alert bad certificate'",
                    {"client": "cl#21"},
                ),
            ),
            "2021-06-14T02:00:41.318+02:00",
        ),
    ),
    "event-console-export.xml": (
        Block(
            "event",
            4,
            (
                Frame(
                    "309/22",
                    4,
                    "TOL: Failed to execute the command. Backup",
                    {
                        "trace level": "error",
                        "channel": CHANNEL,
                        "CommandID": "8F01AC13-F59E-4851-9204-DE1FD77E36B4",
                        "$module": "service_process_vsa64_12110",
                        "event/type": "Error",
                        "event/policy": "Cloud nightly",
                        "event/task": "Full & incremental",
                        "event/InstanceType": "Machine",
                        "event/Instance": "srv-files",
                        "event/Machine": "srv-files",
                        "event/Owner": "SYSTEM",
                    },
                    "0x8d165e86fb8195bd",
                ),
                Frame(
                    "626/307",
                    4,
                    SSL,
                    {
                        "address": "rs-us5-cloud.acronis.com",
                        "port": "8443",
                        "$module": "disk_bundle_vsa64_12110",
                    },
                    "0x50e61e3e2e723b45",
                ),
            ),
            "2018-11-20T20:29:14",
        ),
    ),
    "event-native.xml": (
        Block(
            "event",
            4,
            (
                Frame(
                    "625/1",
                    4,
                    "Failed to discover the front-end server that serves your account.\n"
                    "Account: backup@example.com",
                    {"event/level": "error"},
                    "0x9e0c1d7b44a2f635",
                ),
            ),
            "2010-03-08T08:00:15Z",
            language=None,
        ),
    ),
    "event-cut-off.xml": (
        Block(
            "event",
            2,
            (
                Frame(
                    "667/403",
                    2,
                    UNKNOWN_CA,
                    {"fesAddress": "baas-fes-eu4.acronis.com:44445", "event/type": "Error"},
                    "0x2d4bb10f7e63a9c8",
                ),
            ),
            "2018-11-20T20:29:14",
            "the event is cut off inside 'message'",
        ),
    ),
    "json-line-aakore.log": (
        Block(
            "json-line",
            2,
            (
                Frame(
                    "AGENT_CORE/BAD_GATEWAY",
                    2,
                    'ensure agent registration: {"domain":"AGENT_CORE","code":"BAD_GATEWAY",'
                    f'"debug":{{"msg":"{GO_CA}"}}}}',
                    {
                        "remote_address": "127.0.0.1:53124",
                        "service": "aakore",
                        "msg/domain": "AGENT_CORE",
                        "msg/code": "BAD_GATEWAY",
                        "msg/debug/msg": GO_CA,
                    },
                ),
                Frame("Go/x509", 2, GO_CA),
            ),
            "2023-03-07T09:15:04.730+01:00",
        ),
    ),
    "json-line-account-server.log": (
        Block(
            "json-line",
            2,
            (
                Frame(
                    "error",
                    2,
                    "failed to sync licenses",
                    {"pid": "34336", "request_id": "cupo00v7bd1s73f0a1bg", "error": REFUSED},
                ),
                Frame("Go/dial tcp", 2, REFUSED),
            ),
            "2025-02-17T19:29:24.3565527+01:00",
        ),
    ),
    "json-line-cut-off.log": (
        Block(
            "json-line",
            1,
            (
                Frame(
                    "Go/x509",
                    1,
                    "ensure agent registration: Post"
                    ' "https://eu2-cloud.acronis.com/api/agent_manager/v2/agents": tls: failed to'
                    " verify certificate: x509: certificate signed by unknown authority (possibly"
                    ' because of "x509: cannot valid',
                ),
            ),
            "2023-03-07T09:15:04.730+01:00",
            "fields are cut off inside the value of 'msg'",
        ),
    ),
    "registration-unknown-ca.txt": (
        Block(
            "registration",
            2,
            (
                Frame(
                    "AGENT_CORE/UNKNOWN_CA",
                    2,
                    "akk error: Internal server error has occured (rc=15), http = {.httpCode = 500,"
                    " .domain = AGENT_CORE, .code = UNKNOWN_CA}",
                    {
                        "rc": "15",
                        "httpCode": "500",
                        "domain": "AGENT_CORE",
                        "code": "UNKNOWN_CA",
                        "answer/code": "UNKNOWN_CA",
                        "answer/debug/msg": REGISTERING,
                        "answer/domain": "AGENT_CORE",
                    },
                ),
                Frame("Go/x509", 5, REGISTERING),
            ),
        ),
    ),
    "command-acrocmd.txt": (
        Block(
            "command",
            2,
            (
                Frame(
                    "337/8",
                    3,
                    "An error occurred while executing the command.",
                    {
                        "$module": "acrocmd_lxa64_39376",
                        "$func": "PrintPerformingResult",
                        "$file": "d:/925/enterprise/command_line/engine/impl/engine.cpp",
                        "$line": "65",
                    },
                ),
                Frame(
                    "625/1",
                    7,
                    "Failed to discover the front-end server that serves your account.",
                    {
                        "$module": "online_bundle_lxa64_39376",
                        "address": "rs-eu2-cloud.acronis.com",
                        "$func": "DiscoverFrontEnd",
                        "$file": "d:/925/core/network/astorage/discovery.cpp",
                        "$line": "118",
                    },
                ),
                Frame(
                    "3/1085",
                    12,
                    "Failed to connect to rs-eu2-cloud.acronis.com",
                    {
                        "$module": "online_bundle_lxa64_39376",
                        "$func": "Connect",
                        "$file": "d:/925/core/network/socket.cpp",
                        "$line": "77",
                    },
                ),
            ),
            language=None,
        ),
    ),
    "installer-common-error.log": (
        Block(
            "installer",
            5,
            (
                Frame("47/33268", 5, None, tag="0x431AC2339A572BB6"),
                Frame("0/65520", 6, "Fatal error during installation", tag="0xBD28FDBD64EDB8BC"),
            ),
            language=None,
        ),
    ),
    "installer-old-block.log": (
        Block(
            "labelled",
            4,
            (
                Frame(
                    "309/22",
                    4,
                    "TOL: Failed to execute the command.",
                    {"$module": "msi_vs_s_8029"},
                    "8d165e86fb8195bd",
                ),
                Frame(
                    "457/9",
                    10,
                    "Failed to connect to the management server.",
                    {"address": "us5-cloud.acronis.com", "$module": "msi_vs_s_8029"},
                    "4d2a8b0e13c77f02",
                ),
            ),
        ),
    ),
    "set-up-linux.log": (
        Block(
            "set-up",
            3,
            (
                Frame(
                    "550/60",
                    3,
                    "Registration: curl: (60) SSL certificate problem: unable to get local issuer"
                    " certificate, https://eu2-cloud.acronis.com/api/1/version",
                ),
            ),
            "2023-06-22T09:46:16+02:00",
        ),
    ),
    "set-up-kernel.log": (
        Block(
            "set-up",
            2,
            (
                Frame(
                    "set-up",
                    2,
                    "Failed to find directory '/lib/modules/3.10.0-514.6.1.el7.x86_64/build' that"
                    " contains the kernel source code.\nThe kernel source code or kernel headers"
                    " require installing. For more information, refer to"
                    " http://kb.acronis.com/content/1556.",
                ),
            ),
            "2018-02-09T11:41:35+00:00",
        ),
    ),
    "download-atp.log": (
        Block(
            "download",
            2,
            (
                Frame(
                    "ServerProxy/DownloadPackage",
                    2,
                    "https://au-cloud.acronis.com/api/atp-content/v1/index: Connection timed out"
                    " after 20000 milliseconds",
                    {"unit": "ServerProxy", "$func": "DownloadPackage", "$line": "140"},
                ),
            ),
            "2020-05-04T11:27:52.143656",
        ),
    ),
    "gateway-certificate.log": (
        Block(
            "gateway",
            2,
            (
                Frame(
                    "gateway/LoadFiles",
                    2,
                    "Bad own x509 file '/etc/pki/tls/certs/Acronis/storage/fes.pem'.",
                    {
                        "number": "980323",
                        "$file": "K:/23/products/as/ssl/certificates_manager.cpp",
                        "$line": "181",
                        "$func": "LoadFiles",
                    },
                ),
            ),
        ),
    ),
    "image-corrupted.txt": (
        Block(
            "image",
            1,
            (
                Frame("1/500", 1, "Failed to validate the archive.", tag="0x1D8EAB676A3F6ABF"),
                Frame("7/32", 2, "Image corrupted", tag="0x4B2A60C8C9B0F7D1"),
                Frame("0/65520", 3, "The device is not ready"),
            ),
            language=None,
        ),
    ),
    "flattened-en.txt": (
        Block(
            "flattened",
            1,
            (
                Frame(
                    "307/41",
                    1,
                    "Command has failed.",
                    {"$module": "agent_bundle_vsa64_29633", "TenantName": "Message: none"},
                    "0x5ab4c1d09e73f218",
                ),
                Frame(
                    "626/307",
                    1,
                    SSL,
                    {
                        "address": "rs-us5-cloud.acronis.com",
                        "port": "8443",
                        "$module": "isk_bundle_vsa64_29633",
                    },
                    "0x50e61e3e2e723ba3",
                ),
            ),
        ),
    ),
    "piped-journald-en.txt": (
        Block(
            "piped",
            2,
            (
                Frame(
                    "309/22",
                    2,
                    "TOL: Failed to execute the command.",
                    {
                        "trace level": "error",
                        "IsReturnCode": "0x1",
                        "$module": "service_process_lxa64_16180",
                    },
                    "0x8d165e86fb8195bd",
                ),
                Frame(
                    "583/1",
                    2,
                    "HTTP transfer error",
                    {
                        "host": "eu2-cloud.acronis.com",
                        "port": "0x1bb",
                        "$module": "mms_lxa64_16180",
                    },
                    "0x4d2a8b0e13c77f02",
                ),
                Frame(
                    "550/7",
                    2,
                    "Failed to connect to eu2-cloud.acronis.com port 443: Connection refused",
                    {"$module": "mms_lxa64_16180"},
                    "0x62f1b0a9d4e8c35a",
                ),
            ),
        ),
    ),
    "piped-glued-en.txt": (
        Block(
            "piped",
            1,
            (
                Frame(
                    "4/20",
                    1,
                    "Unknown certificate authority.",
                    {"trace level": "error", "$module": "disk_bundle_vsa64_11010"},
                    "0x9e0c1d7b44a2f635",
                ),
                Frame(
                    "667/403",
                    1,
                    UNKNOWN_CA,
                    {
                        "fesAddress": "baas-fes-us2.acronis.com:44445",
                        "$module": "disk_bundle_vsa64_11010",
                    },
                    "0x2d4bb10f7e63a9c8",
                ),
            ),
        ),
    ),
    "piped-stripped-en.txt": (
        Block(
            "piped",
            1,
            (
                Frame(
                    "309/22",
                    1,
                    "TOL: Failed to execute the command. Running the backup plan",
                    {
                        "trace level": "error",
                        "channel": CHANNEL,
                        "file": r"e:\235\enterprise\tol\command\command.cpp:495",
                        "function": "`anonymous-namespace'::CommandImpl::Execute",
                        "CommandID": "8F01AC13-F59E-4851-9204-DE1FD77E36B4",
                        "$module": "service_process_vsa64_10330",
                    },
                    "0x8d165e86fb8195bd",
                ),
                Frame(
                    "626/307",
                    10,
                    SSL,
                    {
                        "function": "ssl_write",
                        "address": "rs-us5-cloud.acronis.com",
                        "port": "8443",
                        "$module": "disk_bundle_vsa64_10330",
                    },
                    "0x50e61e3e2e723b45",
                ),
            ),
        ),
    ),
    "piped-nested-en.txt": (
        Block(
            "piped",
            1,
            (
                Frame(
                    "149/1285",
                    1,
                    "An attempt to fix VSS errors has failed.",
                    {
                        "Event 0x900001": "Error code: 14",
                        "event/line": "0x7081a2b3c4d5e6f0",
                        "event/EventID": "0x3e8",
                        "event/$module": "vss_doctor_vsa64_11010",
                        "trace level": "error",
                        "$module": "disk_bundle_vsa64_11010",
                    },
                    "0x1a2b3c4d5e6f7081",
                ),
                Frame(
                    "0/65520",
                    10,
                    "Access is denied",
                    {"code": "0x80070005", "$module": "disk_bundle_vsa64_11010"},
                    "0xbd28fdbd64edb8f1",
                ),
            ),
            "2019-01-12T04:00:31.204+01:00",
        ),
    ),
    "piped-headless-en.txt": (
        Block(
            "piped",
            4,
            (
                Frame(
                    "4/22",
                    4,
                    "Network disconnected by timeout.",
                    {"PcsCode": "0xd", "$module": "disk_bundle_vsa64_10330"},
                    "0x9e0c1d7b44a2f635",
                ),
                Frame(
                    "667/13",
                    9,
                    "Peer did not respond or did not hold deadline",
                    {
                        "fesAddress": "baas-fes-eu4.acronis.com:44445",
                        "$module": "disk_bundle_vsa64_10330",
                    },
                    "0x2d4bb10f7e63a9c8",
                ),
            ),
            damage="starts in the middle of a chain",
        ),
    ),
    "piped-details-en.txt": (
        Block(
            "piped",
            1,
            (
                Frame(
                    "100/2",
                    1,
                    "The credentials are incorrect.",
                    {"$module": "console_vsa64_11010"},
                    "0x3c9f4021ae57d688",
                ),
            ),
        ),
        Block(
            "piped",
            1,
            (
                Frame(
                    "583/1",
                    1,
                    "HTTP transfer error",
                    {
                        "host": "us5-cloud.acronis.com",
                        "port": "0x1bb",
                        "$module": "mms_vsa64_11010",
                    },
                    "0x4d2a8b0e13c77f02",
                ),
                Frame(
                    "550/28",
                    1,
                    "Connection timed out after 20000 milliseconds",
                    {"$module": "mms_vsa64_11010"},
                    "0x62f1b0a9d4e8c35a",
                ),
            ),
        ),
    ),
    "piped-console-2015-en.txt": (
        Block(
            "piped",
            1,
            (
                Frame(
                    "625/1",
                    1,
                    "Failed to discover the front-end server that serves your account.",
                    {"$module": "online_bundle_vs_1588"},
                    "0x9e0c1d7b44a2f635",
                ),
                Frame(
                    "626/310",
                    5,
                    "The certification server is unavailable.",
                    {"address": "rs-us5-cloud.acronis.com", "$module": "online_bundle_vs_1588"},
                    "0x50e61e3e2e723b45",
                ),
            ),
        ),
    ),
    "piped-cut-off-en.txt": (
        Block(
            "piped",
            1,
            (
                Frame(
                    "4/20",
                    1,
                    "Unknown certificate authority.",
                    {"trace level": "error", "$module": "disk_bundle_vsa64_10330"},
                    "0x9e0c1d7b44a2f635",
                ),
                Frame(
                    "667/403",
                    6,
                    UNKNOWN_CA,
                    {"fesAddress": "baas-fes-us2.acronis.com:44445"},
                    "0x2d4bb10f7e63a9c8",
                ),
            ),
            "2018-08-16T22:04:16.969-03:00",
            "cut off inside a name: '$mod'",
        ),
    ),
    "headline-status-en.txt": (
        Block(
            "headline",
            2,
            (
                Frame("307/41", 2, None),
                Frame("583/15", 2, None),
                Frame("0/65520", 2, None, {"code": "0x80072efd"}),
            ),
            damage="only the combined code was pasted",
            language=None,
        ),
    ),
    "document-in-log-line.log": (
        Block(
            "document",
            1,
            (
                Frame("583/1", 1, "HTTP transfer error", tag="0x4d2a8b0e13c77f02"),
                Frame(
                    "550/60",
                    1,
                    "SSL peer certificate or SSH remote key was not OK",
                    {
                        "origin/suberror/fields/host": "eu2-cloud.acronis.com",
                        "origin/suberror/fields/port": "443",
                    },
                    "0x62f1b0a9d4e8c35a",
                ),
            ),
            "2023-03-07T09:15:04.730Z",
            language=None,
        ),
    ),
}
# Samples with repeated keys or long documents, of which only the outline is compared.
OUTLINES = {
    "document-console.json": "309/22 161/212 626/307",
    "json-line-backup-manager.log": "BACKUP_MANAGER/InternalError 583/1 550/6",
    "piped-message-lines-en.txt": "308/95",
}
