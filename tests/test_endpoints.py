"""What an error block points at: endpoints with their derivation, traps with their reason."""

from __future__ import annotations

import ipaddress
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnoser import catalog
from diagnoser.endpoints import derive, recognise
from diagnoser.endpoints.recognition import _http_status
from diagnoser.grammar import read_blocks
from diagnoser.model import (
    Derivation,
    Endpoint,
    ErrorBlock,
    ErrorFrame,
    Field,
    Location,
    Role,
    Symptom,
    Transport,
)

SOURCE = "error.txt"


def fields(values: dict[str, str], line: int = 4, path: str = "") -> tuple[Field, ...]:
    return tuple(Field(key, value, Location(SOURCE, line), path) for key, value in values.items())


def frame(
    module: int,
    code: int,
    message: str | None = None,
    held: tuple[Field, ...] = (),
    line: int = 1,
) -> ErrorFrame:
    return ErrorFrame(module, code, None, held, message, Location(SOURCE, line))


def block(*frames: ErrorFrame, text: str = "", line: int = 1) -> ErrorBlock:
    return ErrorBlock("labelled", None, frames, Location(SOURCE, line), text)


def of_message(message: str, module: int = 9, code: int = 9) -> Derivation:
    return derive(block(frame(module, code, message)))


def of_fields(**values: str) -> Derivation:
    return derive(block(frame(9, 9, None, fields(values))))


def names(found: Derivation) -> list[str]:
    return [str(e) for e in found.endpoints]


def facts(endpoint: Endpoint) -> dict[str, tuple[str, str]]:
    return {e.fact: (e.value, e.origin) for e in endpoint.derivation}


def only(found: Derivation) -> Endpoint:
    assert len(found.endpoints) == 1, names(found)
    return found.endpoints[0]


# ---- fields


def test_address_and_port_give_the_registration_server_with_its_origin() -> None:
    endpoint = only(of_fields(address="rs-us5-cloud.acronis.com", port="8443"))
    assert endpoint.key == ("rs-us5-cloud.acronis.com", 8443, "rs-us5-cloud.acronis.com")
    assert endpoint.role is Role.REGISTRATION
    assert endpoint.transport is Transport.TLS
    assert not endpoint.client_certificate
    assert facts(endpoint) == {
        "field_address": ("rs-us5-cloud.acronis.com", "error.txt:4"),
        "field_port": ("8443", "error.txt:4"),
        "role": ("registration", "catalogue"),
    }


def test_a_front_end_server_wants_the_agents_certificate() -> None:
    endpoint = only(of_fields(fesAddress="baas-fes-us5.acronis.com:44445"))
    assert str(endpoint) == "baas-fes-us5.acronis.com:44445"
    assert endpoint.role is Role.STORAGE
    assert endpoint.client_certificate
    assert facts(endpoint)["field_fes_address"] == (
        "baas-fes-us5.acronis.com:44445",
        "error.txt:4",
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"Address": "203.0.113.9", "Port": "44445"}, "203.0.113.9:44445"),
        ({"ADDRESS": "us5-cloud.acronis.com", "PORT": "8443"}, "us5-cloud.acronis.com:8443"),
        ({"address": "us5-cloud.acronis.com", "port": "0x20fb"}, "us5-cloud.acronis.com:8443"),
        ({"address": "us5-cloud.acronis.com", "port": "0x1BB"}, "us5-cloud.acronis.com:443"),
        ({"port": "8443", "address": "us5-cloud.acronis.com"}, "us5-cloud.acronis.com:8443"),
        ({"address": "US5-Cloud.Acronis.COM.", "port": "443"}, "us5-cloud.acronis.com:443"),
        (
            {"address": "ｕｓ５-cloud．acronis．com", "port": "８４４３"},
            "us5-cloud.acronis.com:8443",
        ),
        ({"address": "us5-cloud。acronis。com", "port": "443"}, "us5-cloud.acronis.com:443"),
        ({"address": "us5-cloud[.]acronis[.]com", "port": "443"}, "us5-cloud.acronis.com:443"),
        ({"address": "us5-\u200bcloud.acronis.com", "port": "443"}, "us5-cloud.acronis.com:443"),
        ({"address": "bücher.example", "port": "44445"}, "xn--bcher-kva.example:44445"),
        ({"address": "[2001:db8::5]", "port": "44445"}, "[2001:db8::5]:44445"),
        ({"address": "2001:DB8:0::5", "port": "44445"}, "[2001:db8::5]:44445"),
        ({"fesAddress": "[2001:db8::5]:44445"}, "[2001:db8::5]:44445"),
        ({"address": "AMS01", "port": "9877"}, "ams01:9877"),
        ({"address": "https://ams.example.net", "port": "9877"}, "ams.example.net:9877"),
        ({"uri": "https://us-baas.acronis.com/api/1/x"}, "us-baas.acronis.com:443"),
        ({"uri": "hxxps://ams.example.net:9877/api"}, "ams.example.net:9877"),
        ({"uri": "ams.example.net:9877/api"}, "ams.example.net:9877"),
        ({"uri": "/api/1/x", "host": "ams.example.net", "port": "9877"}, "ams.example.net:9877"),
    ],
)
def test_fields_in_every_spelling_give_one_endpoint(values: dict[str, str], expected: str) -> None:
    assert names(of_fields(**values)) == [expected]


def test_an_address_literal_has_no_server_name() -> None:
    assert only(of_fields(address="203.0.113.9", port="44445")).server_name is None
    assert only(of_fields(address="[2001:db8::5]", port="44445")).server_name is None


def test_host_and_port_inside_an_http_body_belong_together() -> None:
    body = fields({"host": "us5-cloud.acronis.com", "port": "", "uri": "/api/x"}, 9, "httpBody")
    other = fields({"host": "ams.example.net", "port": "9877"}, 9, "httpBody/suberror")
    found = derive(block(frame(583, 1, None, (*body, *other))))
    assert set(names(found)) == {
        "us5-cloud.acronis.com:443",
        "us5-cloud.acronis.com:8443",
        "ams.example.net:9877",
    }


def test_an_http_body_that_was_not_unfolded_is_read_as_text() -> None:
    held = r"{\"host\":\"abgw-xx1-acs1.acronis.com\",\"port\":\"44445\",\"x\":{"
    assert names(of_fields(httpBody=held)) == ["abgw-xx1-acs1.acronis.com:44445"]


# ---- messages


@pytest.mark.parametrize(
    ("message", "expected", "fact"),
    [
        (
            'Falha ao conectar com "abgw-xx2-arp1.acronis.com:44445" porque o acesso foi negado',
            "abgw-xx2-arp1.acronis.com:44445",
            "quoted_in_message",
        ),
        (
            "「abgw-xx2-arp1.acronis.com：44445」に接続できません",
            "abgw-xx2-arp1.acronis.com:44445",
            "quoted_in_message",
        ),
        (
            "Verbindung zu „acs01.partner.example:44445“ fehlgeschlagen",
            "acs01.partner.example:44445",
            "quoted_in_message",
        ),
        (
            'Failed to connect to host "2001:db8:10::10c" via port 44445.',
            "[2001:db8:10::10c]:44445",
            "via_port",
        ),
        (
            "cl#21: connected to 203.0.113.7:44445, but failed to start a session with a gateway",
            "203.0.113.7:44445",
            "connected_to",
        ),
        (
            "Failed to connect to ams.example.net port 9877: Connection refused",
            "ams.example.net:9877",
            "failed_to_connect_to",
        ),
        (
            "DataStore: baas-fes-us5.acronis.com",
            "baas-fes-us5.acronis.com:44445",
            "data_store",
        ),
        (
            "Could not resolve host: rs-us5-cloud.acronis.com; Unknown error",
            "rs-us5-cloud.acronis.com:8443",
            "named_in_message",
        ),
        (
            "Connections are not available for the following ports: baas-fes-us5.acronis.com:44445",
            "baas-fes-us5.acronis.com:44445",
            "via_port",
        ),
        (
            "Post https://us5-cloud.acronis.com/api/x: x509: certificate signed by unknown CA",
            "us5-cloud.acronis.com:443",
            "url_in_message",
        ),
        (
            'Get "https://ams.example.net:9877/api/x": tls: handshake failure',
            "ams.example.net:9877",
            "url_in_message",
        ),
        (
            "HTTP error: GET on 'https://us-baas.acronis.com/x' failed with code 500.",
            "us-baas.acronis.com:443",
            "url_in_message",
        ),
        ("see hxxps://us5-cloud[.]acronis[.]com/x", "us5-cloud.acronis.com:443", "url_in_message"),
        ("at https:// us5-cloud.acronis.com/x", "us5-cloud.acronis.com:443", "url_in_message"),
        (
            "location acronis+fes://storage7.partner.example:44445/1",
            "storage7.partner.example:44445",
            "url_in_message",
        ),
        (
            "register_agent.exe -o register -t cloud -a https://us5-cloud.acronis.com",
            "us5-cloud.acronis.com:443",
            "url_in_message",
        ),
        ("./setup --rain=https://us5.acronis.cloud", "us5.acronis.cloud:443", "url_in_message"),
        (
            "./setup --reg-address=ams.example.net:9877 -x",
            "ams.example.net:9877",
            "command_line_address",
        ),
        (
            "接続先us5-cloud.acronis.com:8443に失敗",
            "us5-cloud.acronis.com:8443",
            "named_in_message",
        ),
    ],
)
def test_a_message_names_its_host(message: str, expected: str, fact: str) -> None:
    endpoint = only(of_message(message))
    assert str(endpoint) == expected
    assert facts(endpoint)[fact][1] == "error.txt:1"


def test_the_password_of_a_url_goes_nowhere() -> None:
    found = of_message("Get https://joe:secret@ams.example.net/x failed")
    assert names(found) == ["ams.example.net:443"]
    assert "secret" not in repr(found)


def test_the_address_behind_a_name_is_not_a_second_endpoint() -> None:
    found = of_message(
        'Get "https://us5-cloud.acronis.com/x": dial tcp 203.0.113.9:443: i/o timeout'
    )
    assert names(found) == ["us5-cloud.acronis.com:443"]
    assert "203.0.113.9:443" in found.refused[0].reason
    assert names(of_message("dial tcp 203.0.113.9:443: i/o timeout")) == ["203.0.113.9:443"]


# ---- which port


def test_a_host_without_a_port_gets_the_ports_of_its_role_and_says_so() -> None:
    found = of_fields(address="us5-cloud.acronis.com")
    assert names(found) == ["us5-cloud.acronis.com:443", "us5-cloud.acronis.com:8443"]
    assert facts(found.endpoints[1])["port_of_role"] == ("8443", "catalogue")


def test_a_port_from_an_inferred_row_is_marked() -> None:
    endpoint = only(of_fields(address="cloud-wr-xx1.acronis.com"))
    assert facts(endpoint)["port_of_role"] == ("443", "catalogue (inferred)")


def test_the_consumer_registration_server_listens_elsewhere() -> None:
    endpoint = only(of_fields(address="cloud-rs-xx1.acronis.com"))
    assert endpoint.port == 55556
    assert endpoint.transport is Transport.TCP
    assert only(of_fields(address="rs-xx1-cloud.acronis.com")).port == 8443


def test_a_bare_address_of_a_connect_failure_is_tried_on_the_storage_port() -> None:
    endpoint = only(of_message("Failed to connect to 203.0.113.5", 3, 1085))
    assert str(endpoint) == "203.0.113.5:44445"
    assert facts(endpoint)["port_of_error"] == ("44445", "catalogue (inferred)")


@pytest.mark.parametrize("port", [7770, 7780, 7800])
def test_the_agent_channel_is_tested_by_tcp_alone(port: int) -> None:
    endpoint = only(of_fields(address="us5-cloud.acronis.com", port=str(port)))
    assert endpoint.transport is Transport.TCP
    assert endpoint.role is Role.AGENT_CHANNEL


def test_plain_http_is_not_tls() -> None:
    assert only(of_message("GET http://ams.example.net:8081/x")).transport is Transport.TCP
    endpoint = only(of_message("GET http://dl.acronis.com/u/x"))
    assert (endpoint.port, endpoint.transport) == (80, Transport.TCP)


def test_the_innermost_mention_decides_the_port() -> None:
    outer = frame(307, 626, None, fields({"address": "us5-cloud.acronis.com", "port": "443"}, 4), 1)
    inner = frame(
        626, 307, None, fields({"address": "us5-cloud.acronis.com", "port": "8443"}, 9), 6
    )
    found = derive(block(outer, inner))
    assert names(found) == ["us5-cloud.acronis.com:8443"]
    assert facts(found.endpoints[0])["field_port"] == ("8443", "error.txt:9")
    assert found.refused[0].source == "error.txt:4"
    assert "names port 8443" in found.refused[0].reason


def test_a_nested_cause_counts_and_comes_first() -> None:
    outer = frame(309, 22, "connected to 203.0.113.7:44445, then failed")
    inner = frame(626, 307, None, fields({"address": "rs-us5-cloud.acronis.com", "port": "8443"}))
    assert names(derive(block(outer, inner))) == [
        "rs-us5-cloud.acronis.com:8443",
        "203.0.113.7:44445",
    ]


def test_one_endpoint_for_many_mentions_with_all_their_evidence() -> None:
    held = fields({"address": "us5-cloud.acronis.com", "port": "8443"})
    found = derive(block(frame(9, 9, 'no answer from "us5-cloud.acronis.com:8443"', held)))
    assert {"field_address", "field_port", "quoted_in_message"} <= facts(only(found)).keys()


def test_the_headline_above_the_first_frame_is_read_with_its_line() -> None:
    text = 'Activity\nFalha ao conectar com "abgw-xx2-arp1.acronis.com:44445"\nError code: 22\n'
    found = derive(block(frame(309, 22, "Failed.", line=12), text=text, line=10))
    assert facts(only(found))["quoted_in_message"][1] == "error.txt:11"


def test_half_a_wrapped_name_is_no_host() -> None:
    head = "0x01350016: the activity failed on its way to the service of rs-us5-cl"
    text = f"{head}\noud-b.acronis.com and was given up"
    assert names(derive(block(frame(309, 22), text=text))) == []


# ---- traps


@pytest.mark.parametrize(
    ("values", "text", "why"),
    [
        ({"Address": "127.0.0.1", "Port": "43234"}, "127.0.0.1:43234", "machine itself"),
        ({"address": "localhost", "port": "9999"}, "localhost:9999", "machine itself"),
        ({"address": "127.8.9.1", "port": "443"}, "127.8.9.1:443", "machine itself"),
        ({"address": "::1", "port": "443"}, "[::1]:443", "machine itself"),
        (
            {"address": "::ffff:127.0.0.1", "port": "443"},
            "[::ffff:127.0.0.1]:443",
            "machine itself",
        ),
        ({"address": "0.0.0.0", "port": "443"}, "0.0.0.0:443", "machine itself"),
        ({"address": "fe80::1%eth0", "port": "443"}, "[fe80::1%eth0]:443", "zone"),
        ({"address": "224.0.0.1", "port": "443"}, "224.0.0.1:443", "many machines"),
        ({"address": "acc.service.consul", "port": "443"}, "acc.service.consul", "data centre"),
        ({"address": "XXX.XXX.XXX.XXX", "port": "443"}, "XXX.XXX.XXX.XXX", "masked"),
        ({"address": "128.403.xxx.yyy", "port": "443"}, "128.403.xxx.yyy", "masked"),
        ({"address": "xxx-cloud.acronis.com"}, "xxx-cloud.acronis.com", "masked"),
        ({"address": "128.403.1.1", "port": "443"}, "128.403.1.1:443", "neither an address"),
        ({"address": "2130706433", "port": "443"}, "2130706433:443", "neither an address"),
        ({"address": "0x7f.1", "port": "443"}, "0x7f.1:443", "neither an address"),
        ({"address": "not a host", "port": "443"}, "not a host:443", "not a host name"),
        (
            {"uri": "https-mail.example.com-EWS-Exchange.asmx"},
            "https-mail.example.com-EWS-Exchange.asmx",
            "not a host name",
        ),
        (
            {"address": "us5-cloud.acronis.com", "port": "0"},
            "us5-cloud.acronis.com:0",
            "1 to 65535",
        ),
        (
            {"address": "us5-cloud.acronis.com", "port": "70000"},
            "us5-cloud.acronis.com:70000",
            "1 to 65535",
        ),
        (
            {"address": "us5-cloud.acronis.com", "port": "https"},
            "us5-cloud.acronis.com:https",
            "not a number",
        ),
        (
            {"address": "us5-cloud.acronis.com", "port": "-443"},
            "us5-cloud.acronis.com:-443",
            "not a number",
        ),
        ({"ResourceAddress": "joe@us5-cloud.acronis.com"}, "joe@us5-cloud.acronis.com", "e-mail"),
        ({"remote_address": "198.51.100.1:4444"}, "198.51.100.1:4444", "client's own side"),
        ({"Archive": "us5-cloud.acronis.com"}, "us5-cloud.acronis.com", "archive"),
        ({"path": r"\\nas.example.com\backup"}, r"\\nas.example.com\backup", "share"),
        ({"path": r"\\?\UNC\nas.example.com\b"}, r"\\?\UNC\nas.example.com\b", "Windows path"),
        ({"uri": "bsp://node.example.com/x"}, "bsp://node.example.com/x", "storage node"),
        ({"Path": "avfs:/online?account%3da%40b.example"}, "avfs:/online", "no host"),
        ({"id": "arl:/11AA-22/33BB"}, "arl:/11AA-22/33BB", "no host"),
        ({"$file": "e:\\275\\core\\a.acronis.com.cpp"}, "e:\\275\\core", "build machine"),
        ({"$file": "d:\\1739\\core\\ssl.cpp"}, "d:\\1739\\core", "build machine"),
    ],
)
def test_a_trap_in_a_field_is_refused_with_its_reason(
    values: dict[str, str], text: str, why: str
) -> None:
    found = of_fields(**values)
    assert names(found) == []
    assert [s.source for s in found.refused] == ["error.txt:4"]
    assert found.refused[0].reason.startswith(f"'{text}")
    assert why in found.refused[0].reason


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Couldn't connect to host at localhost:43234", "localhost:43234"),
        ("Get http://127.0.0.1:9850/x and https://localhost:6109", "127.0.0.1:9850"),
        ("Could not resolve host: accountsrv.service.consul; Unknown", "accountsrv.service.consul"),
        (
            "GET on 'http://accountsrv.service.consul:80/x' failed",
            "http://accountsrv.service.consul",
        ),
        ("Failed to find archive 'us5-cloud.acronis.com'.", "us5-cloud.acronis.com"),
        ("remote_address=198.51.100.1:443 closed", "198.51.100.1:443"),
        ('"remote_address":"us5-cloud.acronis.com:443"', "us5-cloud.acronis.com:443"),
        (r"cannot open \\us5-cloud.acronis.com\c$", r"\\us5-cloud.acronis.com\c$"),
        ("user joe@us5-cloud.acronis.com", "joe@us5-cloud.acronis.com"),
        ("account joe%40us5-cloud.acronis.com", "joe%40us5-cloud.acronis.com"),
        ("Could not resolve proxy: proxy.acronis.com", "proxy.acronis.com"),
        ("see https://kb.acronis.com/content/1", "https://kb.acronis.com/content/1"),
        ("read tcp 10.9.8.7:53412->x: reset", "10.9.8.7:53412"),
        ('"us5-cloud.acronis.com:70000"', "us5-cloud.acronis.com:70000"),
        ("Failed to connect to XXX.XXX.XXX.XXX:443", "XXX.XXX.XXX.XXX:443"),
        ("https://<dc>-cloud.acronis.com/x", "<dc>-cloud.acronis.com"),
    ],
)
def test_a_trap_in_a_message_is_refused(message: str, text: str) -> None:
    found = of_message(message)
    assert names(found) == []
    assert found.refused[0].reason.startswith(f"'{text}")
    assert found.refused[0].source == "error.txt:1"


@pytest.mark.parametrize(
    "message",
    [
        "ssl_connection.cpp:158 failed",
        "'ssl_connection.cpp:443'",
        "in archive.tibx at AStorage::RegServer::SslConnection::Execute",
        "version 15.0.26986 and 10.1.2.3",
        "built at 10:20:30, 2024-01-02T03:04:05:678+09:00",
        "the host srv.example.com is listed",
        "Failed to connect to the management server.",
        "Failed to connect to server.Please retry",
        "Step 'code:13' has failed",
        "ask acronis.com or your administrator",
        "notacronis.com and us5-cloud.acronis.com.evil.example and acronis.com.log",
        "C:/data/us5-cloud.acronis.com and api/us5-cloud.acronis.com",
        "https:// and http://, nothing else",
    ],
)
def test_prose_and_file_names_yield_nothing(message: str) -> None:
    assert names(of_message(message)) == []


def test_the_names_in_a_certificate_are_not_the_host_that_was_asked() -> None:
    found = of_message(
        "Get https://us5-cloud.acronis.com/: x509: certificate is valid for fw.acronis.com, "
        "not us5-cloud.acronis.com"
    )
    assert {e.host for e in found.endpoints} == {"us5-cloud.acronis.com"}


# ---- licences


def test_a_licence_message_alone_gives_the_default_set_marked_as_inferred() -> None:
    found = of_message("ライセンスの同期に失敗しました")
    assert names(found) == ["account.acronis.com:443", "cloud.acronis.com:443"]
    assert facts(found.endpoints[0])["endpoint_of_symptom"] == (
        "account.acronis.com:443",
        "catalogue (inferred)",
    )


@pytest.mark.parametrize(
    "message",
    [
        "Failed to synchronize licenses with us5-cloud.acronis.com:8443",
        "License synchronisation failed: Post https://us5-cloud.acronis.com/api: EOF",
        "us5-cloud.acronis.com とのライセンスの同期に失敗しました",
    ],
)
def test_a_licence_block_with_a_data_centre_tries_both_management_ports(message: str) -> None:
    assert set(names(of_message(message))) == {
        "us5-cloud.acronis.com:443",
        "us5-cloud.acronis.com:8443",
    }


def test_a_licence_block_that_names_the_registration_server_keeps_to_it() -> None:
    held = fields({"address": "rs-us5-cloud.acronis.com", "port": "8443"})
    found = derive(block(frame(626, 307, "License sync failed", held)))
    assert names(found) == ["rs-us5-cloud.acronis.com:8443"]


def test_without_a_licence_message_nothing_is_added() -> None:
    assert names(of_message("Failed to execute the command.", 309, 22)) == []
    assert names(of_message('"us5-cloud.acronis.com:8443"')) == ["us5-cloud.acronis.com:8443"]


# ---- recognition


def keys(*frames: ErrorFrame, text: str = "") -> list[str]:
    return [r.key for r in recognise(block(*frames, text=text))]


@pytest.mark.parametrize(
    ("found", "key", "suspect"),
    [
        (
            frame(626, 307, "Could not perform SSL_write() call: "),
            "registration-tls",
            "tls-intercepted",
        ),
        (
            frame(
                626, 307, "Internal error: Registration server call has failed with the following"
            ),
            "registration-answered",
            "server-side",
        ),
        (frame(626, 307), "registration-failed", "handshake-blocked"),
        (frame(667, 403, "could not be matched"), "pcs-403", "client-certificate-refused"),
        (frame(667, 404), "pcs-404", "root-not-trusted"),
        (frame(550, 60, "SSL peer certificate"), "curl-60", "tls-intercepted"),
        (frame(550, 7), "curl-7", "port-closed"),
        (frame(4, 22, None, fields({"PcsCode": "13"})), "pcs-field-13", "port-filtered"),
        (frame(4, 22, None, fields({"PcsCode": "0xd"})), "pcs-field-13", "port-filtered"),
        (frame(583, 1, None, fields({"httpStatus": "503"})), "transfer-5xx", "server-side"),
        (frame(583, 1, None, fields({"httpStatus": "0x1f7"})), "transfer-5xx", "server-side"),
        (frame(0, 65520, None, fields({"code": "2147952461"})), "winsock-10061", "port-closed"),
        (frame(0, 65520, None, fields({"code": "0x8007274c"})), "winsock-10060", "port-filtered"),
        (frame(0, 65520, None, fields({"code": "-2147014836"})), "winsock-10060", "port-filtered"),
        (frame(657, 18, "GET on 'x' failed with code 500."), "service-5xx", "server-side"),
        (frame(657, 18, "GET on 'x' failed with code 401."), "service-401", "account-refused"),
        (frame(309, 205), "crash", "not-network"),
        (frame(0x95, 0x505), "vss", "not-network"),
        (frame(349, 1802, "Failed to create the shadow copy"), "shadow-copy", "not-network"),
        (frame(16, 50248), "snapshot-16-50248", "not-network"),
        (frame(149, 101, "The SnapAPI kernel module is not"), "kernel-module", "not-network"),
        (frame(4, 23, "Failed to lock the file."), "file-lock", "not-network"),
        (frame(0, 65520, None, fields({"code": "2147942403"})), "windows-not-found", "not-network"),
        (frame(0, 65520, None, fields({"code": "0x80040154"})), "windows-class", "not-network"),
        (frame(0, 65520, None, fields({"code": "0x8007048d"})), "windows-tape", "not-network"),
        (frame(0, 65520, None, fields({"code": "2147943672"})), "windows-guests", "not-network"),
        (frame(0, 65520, None, fields({"code": "2147943712"})), "windows-account", "not-network"),
        (frame(0, 65520, None, fields({"code": "2147942453"})), "windows-share", "port-filtered"),
        (
            frame(
                0, 401, 'Getting refresh token failed: {"error_description":"Failed to authorize"'
            ),
            "authorisation-refused",
            "account-refused",
        ),
        (
            frame(550, 6, "Could not resolve host: accountsrv.service.consul"),
            "internal-name",
            "server-side",
        ),
        (
            frame(1, 1, "The password for the protected backup is incorrect."),
            "archive-password",
            "tls-intercepted",
        ),
    ],
)
def test_a_frame_is_recognised(found: ErrorFrame, key: str, suspect: str) -> None:
    recognition = recognise(block(found))[0]
    assert recognition.key == key
    assert suspect in recognition.suspects
    assert recognition.evidence[0].fact == "error_code"
    assert recognition.evidence[0].value.startswith(f"{found.name} ")
    assert recognition.evidence[0].origin == "error.txt:1"


@pytest.mark.parametrize(
    ("message", "status"),
    [
        *((f"{m} on 'x' failed with code 503", "503")
          for m in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")),
        ("GET on 'x' failed: 503", "503"), ("HTTP request failed: 503", "503"),
        ("HTTP error: GET on 'x' failed with code 500.", "500"), ("HTTP/1.1 502", "502"),
        ("HTTP status 500", "500"), ("HTTP code: 504", "504"), ("HTTP error 503", "503"),
        ("HTTP code 503 from proxy after CONNECT", None), ("The command failed with code 512", None),
        ("The command failed: 512", None), ("GET on 'x' failed: 5030", None),
    ],
)  # fmt: skip
def test_what_tells_a_status_is_recognised_by_it(message: str, status: str | None) -> None:
    """The pattern of the catalogue and that of the fact are one list in two places."""
    (row,) = (r for r in catalog.errors() if r.id == "http-5xx-text")
    assert row.message is not None
    assert (row.message.search(message) is not None) is (status is not None)
    told = _http_status(frame(583, 1, message))
    assert [e.value for e in told] == ([status] if status else [])


def test_an_unknown_code_is_not_recognised() -> None:
    assert keys(frame(12345, 54321, "something else")) == []


def test_wrappers_come_first_and_the_root_last() -> None:
    found = recognise(block(frame(309, 22), frame(583, 1), frame(550, 28)))
    assert [r.key for r in found] == ["wrapper-309-22", "transfer", "curl-28"]
    assert [r.wrapper for r in found] == [True, True, False]
    assert found[2].proven


@pytest.mark.parametrize(
    ("held", "message", "status", "origin"),
    [
        ({"httpStatus": "503"}, None, "503", "error.txt:4"),
        ({"httpStatus": "0x1f7"}, None, "503", "error.txt:4"),
        ({}, "HTTP error: GET on 'x' failed with code 500.", "500", "error.txt:1"),
    ],
)
def test_the_http_status_is_a_fact(
    held: dict[str, str], message: str | None, status: str, origin: str
) -> None:
    evidence = recognise(block(frame(583, 1, message, fields(held))))[0].evidence
    assert [(e.value, e.origin) for e in evidence if e.fact == "http_status"] == [(status, origin)]


@pytest.mark.parametrize(
    "message",
    [
        "Failed to synchronize licenses.",
        "Synchronization of the licences has failed",
        "ライセンスの同期に失敗しました",
        "Acronis アカウントとのライセンスの同期に失敗します",
        "Die Lizenzen konnten nicht synchronisiert werden",
        "Échec de la synchronisation des licences",
        "No se pudieron sincronizar las licencias",
        "Не удалось выполнить синхронизацию лицензий",
        "Subscription license expired",
    ],
)
def test_licence_synchronisation_is_a_symptom_in_any_frame(message: str) -> None:
    for module, code in ((626, 307), (309, 22), (1, 1)):
        found = recognise(block(frame(module, code, message)))[0]
        assert found.symptom is Symptom.LICENCE_SYNC
        assert "licence-out-of-sync" in found.suspects


@pytest.mark.parametrize(
    ("message", "is_ours"),
    [
        ("Failed to synchronize the licenses of Head Office", True),
        ("Head Office License Sync Failed", True),
        ("Licence sync of Berlin Office failed", True),
        ("Cyber Protect Home Office license synchronization failed", True),
        ("Synchronizing Office licenses failed", False),
        ("Failed To Synchronize Office Licenses", False),
        ("Office license sync failed", False),
        ("License sync: Office", False),
        ("Lizenzen für Office konnten nicht synchronisiert werden", False),
        ("Failed to sync the Microsoft Office licences", False),
        ("Failed to sync Home Office 365 licences", False),
        ("Office ライセンスの同期に失敗しました", False),
    ],
)
def test_an_office_with_a_name_is_a_place(message: str, is_ours: bool) -> None:
    found = recognise(block(frame(1, 1, message)))
    assert any("licence-out-of-sync" in r.suspects for r in found) is is_ours


def test_a_licence_headline_is_recognised_with_its_line() -> None:
    text = "ライセンスの同期\nError code: 307\n"
    found = recognise(
        block(frame(626, 307, "Could not perform SSL_write() call:", line=2), text=text)
    )
    assert [r.key for r in found] == ["licence-sync-ja", "registration-tls"]
    assert found[0].evidence[0].origin == "error.txt:1"


# ---- hostile input

TEXT = st.text(
    st.one_of(
        st.sampled_from("aZ0.:/\\-_@[]\"'=%x*。：「」 \n\u200b"),
        st.characters(),
    ),
    max_size=120,
)
PIECES = st.lists(
    st.one_of(
        TEXT,
        st.sampled_from(
            ["https://", "us5-cloud.acronis.com", ":443", "[::1]", "connect to ", '"', "port "]
        ),
    ),
    max_size=8,
).map("".join)
KEYS = st.sampled_from(["address", "Port", "port", "uri", "fesAddress", "host", "httpBody", "x"])
NAME = re.compile(r"(?!.*\.\.)[a-z0-9_][a-z0-9_.-]{0,252}")


def assert_sound(found: Derivation) -> None:
    for e in found.endpoints:
        assert 0 < e.port < 65536
        assert e.derivation
        if e.server_name is None:
            assert not ipaddress.ip_address(e.host).is_loopback
        else:
            assert e.server_name == e.host
            assert NAME.fullmatch(e.host)
            assert all(1 <= len(label) <= 63 for label in e.host.split("."))
    pairs = [(e.host, e.port) for e in found.endpoints]
    assert len(pairs) == len(set(pairs))


@settings(deadline=None, max_examples=300)
@given(PIECES, st.lists(st.tuples(KEYS, PIECES), max_size=5), PIECES)
def test_any_text_gives_sound_endpoints_or_none(
    message: str, held: list[tuple[str, str]], head: str
) -> None:
    listed = tuple(Field(k, v, Location(SOURCE, 4)) for k, v in held)
    b = block(frame(626, 307, message, listed, line=9), text=head)
    assert_sound(derive(b))
    for recognition in recognise(b):
        assert recognition.evidence


ADVERSARIES = [
    "a",
    "a.",
    "\\",
    "*",
    "x@",
    "https://",
    "http://a@",
    "connect to ",
    "archive '",
    "[:",
    "::",
    "registeragent ",
    "license ",
    "ライセンス",
    "certificate is valid for ",
    "eu9-cloud.acronis.com ",
    "1037 ",
    " ",
    "\n",
    "%40",
    "xxx",
    "\ufdfa",
]


@pytest.mark.parametrize("seed", ADVERSARIES)
def test_time_is_bounded_for_200_kb_of_anything(seed: str) -> None:
    text = (seed * 200_000)[:200_000]
    started = time.process_time()
    b = block(frame(309, 22, text, fields({"address": text, "note": text})))
    assert_sound(derive(b))
    derive(block(frame(309, 22), text=text))
    recognise(b)
    # A quadratic pattern takes minutes here; the linear ones well under a second on one core.
    assert time.process_time() - started < 20


def test_a_flood_of_hosts_is_cut_and_the_cut_is_told() -> None:
    found = of_message(" ".join(f"https://h{i}.example.net/" for i in range(500)))
    assert len(found.endpoints) == 32
    assert "only the first 32 of 500" in found.refused[-1].reason


def test_a_name_inside_acronis_data_centres_is_told_as_such() -> None:
    at = Location("error.txt", 7)
    text = "HTTP error: GET on 'http://accountsrv.service.consul:8080/x' failed with code 500."
    frame = ErrorFrame(657, 18, None, (), text, at)
    found = recognise(ErrorBlock("labelled", "en", (frame,), at, text))
    named = [e for r in found for e in r.evidence if e.fact == "internal_name"]
    assert [(e.value, e.origin) for e in named] == [("accountsrv.service.consul", "error.txt:7")]
    assert derive(ErrorBlock("labelled", "en", (frame,), at, text)).endpoints == ()


@pytest.mark.parametrize(
    ("sample", "key"),
    [
        ("image-corrupted.txt", "windows-not-ready-text"),
        ("set-up-kernel.log", "kernel-sources"),
        ("gateway-certificate.log", "own-certificate-file"),
    ],
)
def test_a_fault_of_this_machine_is_known_as_no_network_fault(sample: str, key: str) -> None:
    text = (Path(__file__).parents[1] / "sample_logs" / sample).read_text("utf-8")
    (found,) = read_blocks(text, sample).blocks
    root = recognise(found)[-1]
    assert root.key == key
    assert root.suspects == ("not-network",)


def test_a_frame_tells_what_was_refused_and_then_why() -> None:
    assert keys(frame(1, 1, "The agent is not registered: connection refused")) == [
        "agent-unregistered",
        "refused-text",
    ]
    assert keys(frame(1, 1, "Failed to sync licenses: CONNECT tunnel failed, response 503")) == [
        "licence-sync-en",
        "proxy-tunnel-text",
    ]
    assert keys(frame(1, 1, "The agent is not registered")) == ["agent-unregistered"]
    assert keys(frame(657, 30, "Cloud storage is disabled for x")) == ["storage-disabled-text"]


def test_the_proxy_that_was_dialled_is_no_endpoint() -> None:
    found = of_message(
        'Post "https://us5-cloud.acronis.com/api": proxyconnect tcp: dial tcp: '
        "lookup proxy.example.com on 192.0.2.53:53: no such host"
    )
    assert names(found) == ["us5-cloud.acronis.com:443"]
    assert "proxy" in " ".join(s.reason for s in found.refused)
