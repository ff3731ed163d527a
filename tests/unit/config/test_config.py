"""Settings: which layer wins, and how every mistake is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagerd import config
from pagerd.core.errors import Misconfigured


def file(folder: Path, content: str) -> Path:
    """Return a settings file."""
    path = folder / "pagerd.toml"
    path.write_text(content, "utf-8")
    return path


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    path = file(tmp_path, "port = 1\nhost = '::1'\nbatch_size = 7\n[worker]\nlanes = 3\nwindow = 9\n")
    settings = config.read(path, {"port": 3, "host": None}, {"PAGERD_PORT": "2", "PAGERD_WORKER__LANES": "4"})
    assert (settings.port, settings.host, settings.batch_size) == (3, "::1", 7)
    assert (settings.worker.lanes, settings.worker.window) == (4, 9)
    assert settings.log == "info"


def test_a_file_beside_is_found_and_none_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config.read(None, {}, {}).port == 8400
    file(tmp_path, "port = 5\n")
    assert config.read(None, {}, {}).port == 5


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"nowhere\.toml can't be read: No such file"):
        config.read(tmp_path / "nowhere.toml", {}, {})


def test_every_mistake_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    path = file(tmp_path, "prot = 1\n\n[worker]\nlease = 'long'\n# lanes = 0\nlanes = 0\ncapture.port = 1\n")
    with pytest.raises(Misconfigured) as caught:
        config.read(path, {"port": 99999}, {"PAGERD_LOG": "loud", "PAGERD_CAPTURE__PRT": "1"})
    assert caught.value.detail.splitlines() == [
        f"{path}, line 1: there is no setting 'prot'; did you mean 'port'?",
        f"{path}, line 4: worker.lease = 'long' can't be: expected float, got str",
        f"{path}, line 6: worker.lanes = 0 can't be: expected int >= 1",
        f"{path}, line 7: there is no setting 'capture' in [worker]",
        "PAGERD_CAPTURE__PRT in the environment: there is no setting 'prt' in [capture]; did you mean 'port'?",
        "PAGERD_LOG in the environment: log = 'loud' can't be: it is one of debug, info, warning, error",
        "--port: port = 99999 can't be: expected int <= 65535",
    ]


def test_a_value_where_a_table_should_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="line 1: worker = 3 can't be: expected object, got int"):
        config.read(file(tmp_path, "worker = 3\n"), {}, {})
    with pytest.raises(Misconfigured, match="PAGERD_WORKER is set beside it"):
        config.read(None, {}, {"PAGERD_WORKER": "3", "PAGERD_WORKER__LANES": "3"})


def test_a_lease_that_could_never_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="never be usable"):
        config.read(file(tmp_path, "[worker]\nlease = 10.0\nrenew = 6.0\n"), {}, {})


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("store",), 2),
        (("worker",), 4),
        (("worker", "lanes"), 5),
        (("worker", "nowhere"), 4),
        (("providers", "mail", "url"), 8),
        (("providers", "mail"), 7),
        (("capture", "port"), 1),
        (("nowhere",), None),
    ],
)
def test_a_setting_is_found_in_its_file(path: tuple[str, ...], line: int | None) -> None:
    source = "capture.port = 3\nstore = 'x'\n# worker = 3\n[worker]\nlanes = 3\n\n[ providers . mail ]\nurl = 'x'\n"
    assert config.line_of(source, path) == line


def test_the_store_names_a_file(tmp_path: Path) -> None:
    assert config.Settings(store="sqlite:////var/lib/pagerd/pagerd.db").database() == Path("/var/lib/pagerd/pagerd.db")
    assert config.Settings(store="sqlite:///./here.db").database() == Path("./here.db")
    for store in ("postgresql://localhost/pagerd", "sqlite:///here.db", "here.db"):
        with pytest.raises(Misconfigured) as caught:
            config.Settings(store=store).database()
        assert caught.value.remedy


def test_the_root_key_is_beside_the_database_unless_it_is_named() -> None:
    settings = config.Settings(store="sqlite:////data/pagerd.db")
    assert settings.root_key() == Path("/data/root.key")
    assert config.Settings(key_file="/etc/pagerd.key").root_key() == Path("/etc/pagerd.key")


def test_secrets_may_be_somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "from the environment")
    (tmp_path / "password").write_text("from a file\n")
    assert config.secret("env:MAIL_PASSWORD", "x") == "from the environment"
    assert config.secret(f"file:{tmp_path / 'password'}", "x") == "from a file"
    assert config.secret("in clear: as it is", "x") == "in clear: as it is"
    with pytest.raises(Misconfigured, match="MAIL_PASWORD, which is not set"):
        config.secret("env:MAIL_PASWORD", "providers.mail.credential")
    with pytest.raises(Misconfigured, match="can't be read"):
        config.secret(f"file:{tmp_path / 'nowhere'}", "providers.mail.credential")


def test_a_provider_of_the_file_becomes_a_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    table = "kind = 'smtp'\nurl = 'smtp://127.0.0.1'\ncredential = 'env:MAIL_PASSWORD'\nenabled = false\n"
    path = file(tmp_path, f"[providers.mail]\n{table}")
    draft = config.read(path, {}, {}).drafts()["mail"]
    assert (draft.kind, draft.settings, draft.credential) == ("smtp", {"url": "smtp://127.0.0.1"}, "secret")
    assert draft.enabled is False


def test_a_provider_is_set_from_the_environment_too() -> None:
    settings = config.read(
        None, {}, {"PAGERD_PROVIDERS__MAIL__KIND": "smtp", "PAGERD_PROVIDERS__MAIL__URL": "smtp://h"}
    )
    assert settings.drafts()["mail"].settings == {"url": "smtp://h"}
