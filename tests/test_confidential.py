"""Which words announce a secret, and which only sound like it."""

from __future__ import annotations

import pytest

from diagnoser.reports.confidential import is_secret_key, secrets

SECRET = "Zx91kkA1"
ANNOUNCED = [
    f"adminPassword={SECRET}",
    f"proxyPassword: {SECRET}",
    f'{{"accessToken":"{SECRET}"}}',
    f"REFRESHTOKEN={SECRET}",
    f"userpass={SECRET}",
    f"dbpwd={SECRET}",
    f'\\"encryptionPassword\\":\\"{SECRET}\\"',
    f"Authorization: {SECRET}",
    f"Authorization: ApiKey {SECRET}",
    f'Authorization: Digest username="bob", response="{SECRET}"',
    f'{{"Authorization":"Bearer {SECRET}","a":1}}',
    f"| Proxy-Authorization: Basic {SECRET}==\n| port: 443",
    f'"headers":{{"Cookie":["sid={SECRET}"]}}',
    f"--proxy-password {SECRET}",
    f"--reg-token {SECRET}",
    f"keytool -storepass {SECRET} -alias a",
    f"--dbkeypass={SECRET}",
    f"--credentials=bob,{SECRET}",
    f'password "{SECRET}"',
    f"the password is {SECRET}",
    f"Passphrase: my pass {SECRET}",
    f"Wachtwoord: {SECRET}",
    f'<add key="password" value="{SECRET}"/>',
    f'<password value="{SECRET}"/>',
    f'{{"name":"password","value":"{SECRET}"}}',
    f"encryption_key={SECRET}",
    f"AccountKey={SECRET}",
    f"xoxb-123456789012-{SECRET}abcdefgh",
]
INNOCENT = [
    "a/../../etc/passwd:12",
    "report.zip!/token:3",
    "compass: north",
    "spinning: x",
    "Error: token expired",
    "bypass: yes",
    "the password is incorrect for this user",
    "line:12 port: 8443 authorization failed for host",
    "authorization: failed",
    "tokenizer: standard",
]


def hidden(text: str) -> str:
    """``text`` without what is taken for a secret."""
    kept = [True] * len(text)
    for trace in secrets(text):
        kept[trace.start : trace.end] = [False] * (trace.end - trace.start)
    return "".join(c for c, keep in zip(text, kept, strict=True) if keep)


@pytest.mark.parametrize("text", ANNOUNCED)
def test_a_secret_is_known_by_the_word_before_it(text: str) -> None:
    assert SECRET not in hidden(text)
    # What stands on the next line is no part of it.
    assert hidden(f"{text}\nport: 8443").endswith("\nport: 8443")


@pytest.mark.parametrize("text", INNOCENT)
def test_words_that_sound_like_it_hide_nothing(text: str) -> None:
    assert hidden(text) == text


@pytest.mark.parametrize(
    "key",
    ["userPwd", "Authorization", "Proxy-Authorization", "Set-Cookie", "adminPassword", "pin",
     "client_secret", "password", "userpass"],
)  # fmt: skip
def test_fields_of_these_names_hold_a_secret(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize("key", ["compass", "address", "port", "$module", "tokenType", "bypass"])
def test_fields_of_other_names_do_not(key: str) -> None:
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    "text",
    ["password " * 20_000, "authorization: " * 12_000, "<password " * 18_000, 'name="' * 30_000,
     "--a" * 60_000, "/a" * 90_000 + "token:1", "cookie:[" * 20_000],
)  # fmt: skip
def test_a_hostile_text_is_searched_to_its_end(text: str) -> None:
    """With a pattern that goes back over what it has seen, each of these takes hours."""
    assert SECRET not in hidden(f"{text}\npassword={SECRET}")
