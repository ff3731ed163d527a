"""Where the address and the key come from, and that a key goes nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagerd.client import NotConfigured, Pager
from pagerd.client.configuration import Given, choose
from pagerd.client.transport import Server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config" / "pagerctl").mkdir(parents=True)
    (tmp_path / "work" / "deep").mkdir(parents=True)
    return tmp_path


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(home / "config"), "HOME": str(home)} | more


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def local(home: Path, url: str = "http://127.0.0.1:8400") -> None:
    write(home / "work/.pagerd/pagerctl.toml", f'url = "{url}"\nkey_file = "test.key"\n')
    write(home / "work/.pagerd/test.key", "pgr_test_dev\n")


def profile(home: Path) -> None:
    write(
        home / "config/pagerctl/config.toml",
        """
url = "https://pager.example"
key_file = "main.key"
[profiles.staging]
url = "https://staging.example/"
key_file = "keys/staging.key"
""",
    )
    write(home / "config/pagerctl/main.key", "pgr_live_main")
    write(home / "config/pagerctl/keys/staging.key", "pgr_live_staging")


def test_arguments_come_first(home: Path) -> None:
    profile(home)
    choice = choose(Given(url="http://127.0.0.1:1", key="k"), environ(home, PAGERCTL_URL="http://other"), home)
    assert (choice.server.url, choice.server.key, choice.url_from) == ("http://127.0.0.1:1", "k", "the arguments")


def test_the_environment_comes_before_the_profile(home: Path) -> None:
    profile(home)
    key_file = write(home / "env.key", "pgr_live_env\n")
    env = environ(home, PAGERCTL_URL="http://env.example", PAGERCTL_KEY_FILE=str(key_file), PAGERCTL_KEY="ignored")
    choice = choose(Given(), env, home)
    assert (choice.server.url, choice.server.key) == ("http://env.example", "pgr_live_env")


def test_the_key_may_stand_in_the_environment_itself(home: Path) -> None:
    choice = choose(Given(), environ(home, PAGERCTL_URL="http://env.example", PAGERCTL_KEY="pgr_test_x"), home)
    assert (choice.server.key, choice.server.live) == ("pgr_test_x", False)


def test_the_profile_comes_before_the_folder(home: Path) -> None:
    profile(home)
    local(home)
    choice = choose(Given(), environ(home), home / "work")
    assert (choice.server.url, choice.server.key, choice.server.live) == (
        "https://pager.example",
        "pgr_live_main",
        True,
    )


def test_a_named_profile_comes_before_the_environment(home: Path) -> None:
    profile(home)
    choice = choose(Given(profile="staging"), environ(home, PAGERCTL_URL="http://env.example"), home)
    assert (choice.server.url, choice.server.key) == ("https://staging.example", "pgr_live_staging")


def test_an_unknown_profile_names_those_that_there_are(home: Path) -> None:
    profile(home)
    with pytest.raises(NotConfigured, match="no profile 'stagin'") as caught:
        choose(Given(profile="stagin"), environ(home), home)
    assert "staging" in caught.value.remedy


def test_what_dev_wrote_is_found_from_below(home: Path) -> None:
    local(home)
    choice = choose(Given(), environ(home), home / "work/deep")
    assert (choice.server.url, choice.server.key) == ("http://127.0.0.1:8400", "pgr_test_dev")
    assert choice.key_from.endswith(".pagerd/pagerctl.toml")


def test_a_key_goes_only_to_the_address_that_it_was_written_down_with(home: Path) -> None:
    profile(home)
    with pytest.raises(
        NotConfigured, match=r"http://evil\.example comes from the environment, but the key of .* belongs to"
    ):
        choose(Given(), environ(home, PAGERCTL_URL="http://evil.example"), home)
    assert choose(Given(url="https://pager.example/"), environ(home), home).server.key == "pgr_live_main"


def test_a_found_folder_may_not_choose_a_key_from_elsewhere(home: Path) -> None:
    write(home / "secret.key", "pgr_live_secret")
    write(home / "work/.pagerd/pagerctl.toml", 'url = "http://evil.example"\nkey_file = "../../secret.key"\n')
    with pytest.raises(NotConfigured, match="outside"):
        choose(Given(), environ(home), home / "work")
    (home / "work/.pagerd/link.key").symlink_to(home / "secret.key")
    write(home / "work/.pagerd/pagerctl.toml", 'url = "http://evil.example"\nkey_file = "link.key"\n')
    with pytest.raises(NotConfigured, match="outside"):
        choose(Given(), environ(home), home / "work")


def test_a_found_folder_that_others_may_write_is_not_believed(home: Path) -> None:
    local(home)
    (home / "work/.pagerd/pagerctl.toml").chmod(0o666)
    with pytest.raises(NotConfigured, match="no server to ask is known"):
        choose(Given(), environ(home), home / "work")


def test_nothing_configured_says_what_to_do(home: Path) -> None:
    with pytest.raises(NotConfigured) as caught:
        choose(Given(), environ(home), home)
    assert "pagerd dev" in caught.value.remedy
    with pytest.raises(NotConfigured, match=r"no key for http://127\.0\.0\.1:8400"):
        choose(Given(url="http://127.0.0.1:8400"), environ(home), home)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url = \n", "config.toml: Invalid value"),
        ("url = 3\nkey_file = 'main.key'\n", "url in .* must be text"),
        ('url = "https://pager.example"\nkey_file = "gone.key"\n', "gone.key .* No such file"),
        ('url = "https://pager.example"\nkey_file = "empty.key"\n', "empty.key .* is empty"),
        ('url = "https://pager.example"\nkey_file = "strange.key"\n', "holds characters that no key has"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_name(home: Path, text: str, words: str) -> None:
    write(home / "config/pagerctl/config.toml", text)
    write(home / "config/pagerctl/empty.key", " \n")
    write(home / "config/pagerctl/strange.key", "pgr_live_a\r\nX-Evil: 1")
    with pytest.raises(NotConfigured, match=words):
        choose(Given(), environ(home), home)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8400", "ftp://x", "http://", "http://u:p@host", "http://h?a=b", "https://h#f"]
)
def test_strange_addresses_are_refused(url: str) -> None:
    with pytest.raises(NotConfigured, match="address of"):
        Server(url, "k")


def test_a_key_never_shows(url: str) -> None:
    with Pager(url, "pgr_live_very_secret") as pager:
        shown = repr(pager) + repr(pager.choice) + repr(pager.choice.server) + repr(pager.sessions)
    assert "very_secret" not in shown


def test_loopback_needs_no_proxy(monkeypatch: pytest.MonkeyPatch, desk, pager: Pager) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert list(pager.sessions.list()) == []
    assert desk.asked[0].headers["user-agent"].startswith("pagerd-client/")
