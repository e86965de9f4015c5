"""Checkpoints: whole or not there, every flipped bit found, nothing in them executed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import tiny_game
from vidgen.adversarial import checkpoints
from vidgen.adversarial.checkpoints import (
    find_checkpoint,
    load_game,
    load_state,
    newest_whole_checkpoint,
    save_checkpoint,
)
from vidgen.errors import UserError

STATE = {"step": 7, "players": {"critic": {"state": {0: torch.ones(3)}}}, "raw": {}}
FILES = ("model.safetensors", "state.pt", "config.json")


def save(run: Path, step: int = 7, game: Any = None, keep: int = 3, **about: Any) -> Path:
    game = game or tiny_game()
    about = {"game": game.describe(), "classes": ["left", "right"], "fps": 12.5, **about}
    return save_checkpoint(run, step, game.state_dict(), {**STATE, "step": step}, about, keep)


def seal(folder: Path, config: dict[str, Any]) -> None:
    """Writes a config.json as an attacker would: with all hashes right."""
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES[:2]}
    config = {**config, "sha256": {**hashes, "config.json": ""}}
    text = json.dumps(config, indent=2)
    digest = hashlib.sha256(text.encode()).hexdigest()
    text = text.replace('"config.json": ""', f'"config.json": "{digest}"')
    (folder / "config.json").write_text(text)


def reseal(folder: Path, **changes: Any) -> None:
    seal(folder, {**json.loads((folder / "config.json").read_text()), **changes})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one checkpoint that no test changes."""
    run = tmp_path_factory.mktemp("run")
    save(run)
    return run


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "run")
    return tmp_path / "run"


def test_a_game_comes_back_with_its_weights_and_what_is_known_of_it(original: Path):
    loaded = load_game(original)
    assert (loaded.step, loaded.fps, loaded.classes) == (7, 12.5, ["left", "right"])
    assert loaded.folder == original / "checkpoints" / "step-000000007"
    assert not loaded.game.training
    for name, value in tiny_game().state_dict().items():
        assert torch.equal(loaded.game.state_dict()[name], value), name
    torch.testing.assert_close(
        loaded.game.sample([3]), tiny_game().eval().sample([3]), rtol=0, atol=0
    )
    assert load_game(loaded.folder).step == 7
    assert load_state(loaded.folder)["step"] == 7


def test_a_seal_made_by_hand_is_the_one_that_is_checked(run: Path):
    folder = find_checkpoint(run)
    before = (folder / "config.json").read_bytes()
    reseal(folder)
    assert (folder / "config.json").read_bytes() == before


def test_every_flipped_bit_is_found(run: Path):
    folder, chance = find_checkpoint(run), random.Random(0)
    for name in FILES:
        path = folder / name
        whole = path.read_bytes()
        places = [0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(58))]
        for place in places:
            flipped = bytearray(whole)
            flipped[place] ^= 1 << chance.randrange(8)
            path.write_bytes(flipped)
            found, passed = newest_whole_checkpoint(run)
            assert found is None, f"{name}, byte {place}"
            assert len(passed) == 1
            if name != "state.pt":  # which only a resumed training reads
                with pytest.raises(UserError):
                    load_game(run)
            else:
                with pytest.raises(UserError, match=r"state\.pt is damaged"):
                    load_state(folder)
        path.write_bytes(whole)
    assert newest_whole_checkpoint(run) == (folder, [])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["cut", "emptied", "grown", "missing", "folder"])
def test_a_damaged_file_is_named_and_the_checkpoint_before_is_taken(
    run: Path, name: str, damage: str
):
    older = find_checkpoint(run)
    newer = save(run, 9)
    path = newer / name
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        kept = {"cut": whole[: len(whole) // 2], "emptied": b"", "grown": whole + b"\0"}
        path.write_bytes(kept[damage])
    found, passed = newest_whole_checkpoint(run)
    assert found == older
    assert len(passed) == 1
    assert str(newer) in passed[0]
    assert name in passed[0]
    if name != "state.pt":
        with pytest.raises(UserError, match=r"step-000000009"):
            load_game(run)


def test_weights_that_are_not_the_games_are_refused(run: Path):
    folder = find_checkpoint(run)
    weights = load_file(folder / "model.safetensors")
    name = "critic.layers.0.weight"
    for changed in (
        {**weights, name: weights[name][..., :-1].contiguous()},
        {**weights, name: weights[name].flatten()},
        {**weights, "critic.extra": torch.ones(1)},
        {key: value for key, value in weights.items() if key != name},
    ):
        save_file(changed, folder / "model.safetensors")
        reseal(folder)
        with pytest.raises(UserError, match=r"does not fit the game .* 1 weights differ, 'critic"):
            load_game(run)


def test_what_is_not_safetensors_is_refused(run: Path):
    folder = find_checkpoint(run)
    for content in (b"", b"\xff" * 64, pickle.dumps({"a": 1}), (1 << 62).to_bytes(8, "little")):
        (folder / "model.safetensors").write_bytes(content)
        reseal(folder)
        with pytest.raises(UserError, match="is damaged"):
            load_game(run)


class _Payload:
    """What a stranger would put into a pickle."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._path),)


def test_a_pickled_payload_is_refused_and_not_executed(run: Path, tmp_path: Path):
    folder, made = find_checkpoint(run), tmp_path / "made"
    torch.save({**STATE, "raw": _Payload(made)}, folder / "state.pt")
    reseal(folder)
    with pytest.raises(UserError, match="not a training state"):
        load_state(folder)
    (folder / "state.pt").write_bytes(pickle.dumps(_Payload(made)))
    reseal(folder)
    with pytest.raises(UserError, match="not a training state"):
        load_state(folder)
    assert not made.exists()


def test_a_state_with_packed_members_is_refused_before_it_is_unpacked(run: Path):
    folder = find_checkpoint(run)
    state = folder / "state.pt"
    torch.save({**STATE, "raw": {"zeros": torch.zeros(1_000_000)}}, state)
    with zipfile.ZipFile(state) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(state, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert state.stat().st_size < 50_000
    torch.load(state, weights_only=True)  # torch itself would unpack it
    reseal(folder)
    with pytest.raises(UserError, match="packed members"):
        load_state(folder)


def test_a_state_whose_members_lie_on_top_of_each_other_is_refused(run: Path):
    folder = find_checkpoint(run)
    state = folder / "state.pt"
    torch.save({**STATE, "raw": {"zeros": torch.zeros(100_000)}}, state)
    with zipfile.ZipFile(state, "a") as archive:
        big = max(archive.infolist(), key=lambda info: info.file_size)
        for number in range(20):
            twin = zipfile.ZipInfo(f"archive/data/9{number}")
            for field in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(twin, field, getattr(big, field))
            archive.filelist.append(twin)
        archive._didModify = True  # type: ignore[attr-defined]
    reseal(folder)
    with pytest.raises(UserError, match="members overlap"):
        load_state(folder)


@pytest.mark.parametrize("state", [[1], {"step": 1}, {"step": 1, "players": {}}, torch.ones(2)])
def test_a_state_that_lacks_its_parts_is_refused(run: Path, state: Any):
    folder = find_checkpoint(run)
    torch.save(state, folder / "state.pt")
    reseal(folder)
    with pytest.raises(UserError, match="it lacks step, players or raw"):
        load_state(folder)


def with_argument(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(config: dict[str, Any]) -> Any:
        description = config["game"]
        return {**description, "init_args": {**description["init_args"], name: value}}

    return change


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


HOSTILE_GAMES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no description": lambda config: None,
    "a list": lambda config: [config["game"]],
    "a string": lambda config: "vidgen.TGAN",
    "arguments in a list": lambda config: {"class_path": "vidgen.TGAN", "init_args": [1, 2]},
    "a function": lambda config: {"class_path": "os.mkdir", "init_args": {"path": "made"}},
    "not a game": lambda config: {"class_path": "vidgen.OptimizerSettings"},
    "unknown argument": with_argument("colour", 1),
    "wrong type": with_argument("num_frames", "four"),
    "a list for a number": with_argument("image_width", [16]),
    "unknown loss": with_argument("loss", "os.mkdir"),
    "negative": with_argument("num_classes", -1),
    "more memory than there is": with_argument("critic_width", 2**20),
    "a terabyte of latents": with_argument("slow_dim", 2**34),
    "beyond 64 bits": with_argument("fast_dim", 2**70),
    "more layers than memory": with_argument("num_frames", 2**3000),
    "nested deeply": with_argument("num_frames", _nested(900)),
    "an optimizer of nothing": with_argument("optimizer", {"class_path": "os.mkdir"}),
}


@pytest.mark.parametrize("case", HOSTILE_GAMES)
def test_a_hostile_description_is_refused_in_one_line(run: Path, case: str):
    folder = find_checkpoint(run)
    config = json.loads((folder / "config.json").read_text())
    seal(folder, {**config, "game": HOSTILE_GAMES[case](config)})
    with pytest.raises(UserError):
        load_game(run)


@pytest.mark.parametrize(
    "change",
    [
        {"step": "seven"},
        {"step": None},
        {"fps": "fast"},
        {"fps": 0},
        {"fps": float("nan")},
        {"classes": {"a": 1}},
        {"format": 2},
        {"format": [1]},
    ],
)
def test_wrong_kinds_in_a_config_are_refused(run: Path, change: dict[str, Any]):
    reseal(find_checkpoint(run), **change)
    with pytest.raises(UserError, match=r"config\.json (is damaged|has format)"):
        load_game(run)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        '{"format": 1}',
        '{"format": 1, "sha256": {"config.json": ""}}',
        '{"format": 1, "sha256": {"config.json": 5}}',
        '{"format": ' + "9" * 5000 + "}",
        "\ud800",
    ],
)
def test_what_is_no_config_is_refused(run: Path, text: str):
    path = find_checkpoint(run) / "config.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError, match=r"config\.json"):
        load_game(run)


def test_a_huge_config_is_refused_unread(run: Path, monkeypatch: pytest.MonkeyPatch):
    path = find_checkpoint(run) / "config.json"
    with path.open("ab") as file:
        file.truncate(11_000_000)
    monkeypatch.setattr(json, "loads", lambda text: pytest.fail("it was read"))
    with pytest.raises(UserError, match="too large"):
        load_game(run)


def test_a_pipe_in_place_of_a_file_does_not_hang(run: Path):
    for name in FILES:
        path = find_checkpoint(run) / name
        whole = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        assert newest_whole_checkpoint(run)[0] is None
        path.unlink()
        path.write_bytes(whole)


class Killed(BaseException):
    """Ends the process as a signal would: no handler of the code under test runs."""


@pytest.mark.parametrize("fatal", ["save_file", "torch.save", "first replace", "second replace"])
def test_killed_inside_a_save_leaves_nothing_half_written(
    run: Path, monkeypatch: pytest.MonkeyPatch, fatal: str
):
    older, replace, calls = find_checkpoint(run), os.replace, []

    def killed(*arguments: Any, **keywords: Any) -> None:
        raise Killed

    def replace_until(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == (1 if fatal == "first replace" else 2):
            raise Killed
        replace(*arguments)

    if fatal == "save_file":
        monkeypatch.setattr(checkpoints, "save_file", killed)
    elif fatal == "torch.save":
        monkeypatch.setattr(torch, "save", killed)
    else:
        monkeypatch.setattr(os, "replace", replace_until)
    with pytest.raises(Killed):
        save(run, 8)
    monkeypatch.undo()

    renamed = fatal == "second replace"
    visible = [older.name, "step-000000008"] if renamed else [older.name]
    assert sorted(path.name for path in older.parent.glob("step-*")) == visible
    assert newest_whole_checkpoint(run) == (older.parent / visible[-1], [])
    assert load_game(run).step == 7
    save(run, 8)
    assert load_game(run).step == 8
    assert not list(older.parent.glob(".step-*"))


def test_a_checkpoint_of_the_same_step_is_replaced(run: Path):
    game = tiny_game(seed=5)
    save(run, 7, game)
    loaded = load_game(run).game.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in game.state_dict().items())


def test_a_checkpoint_is_found_by_its_names(run: Path):
    home = run / "checkpoints"
    save(run, 12)
    (home / "best-fvd").write_text("step-000000007\n")
    assert find_checkpoint(run).name == "step-000000012"
    assert find_checkpoint(run, "best-fvd").name == "step-000000007"
    assert find_checkpoint(run, "step-7").name == "step-000000007"
    assert find_checkpoint(run, "step-000000012").name == "step-000000012"
    assert find_checkpoint(home / "step-000000007").name == "step-000000007"


@pytest.mark.parametrize("name", ["step-8", "best-fid", "../run", "", "..", "/etc"])
def test_a_checkpoint_that_is_not_there_is_told_with_those_that_are(run: Path, name: str):
    with pytest.raises(UserError, match="there are: latest, step-000000007"):
        find_checkpoint(run, name)


def test_a_pointer_leads_nowhere_else(run: Path):
    shutil.copytree(find_checkpoint(run), run / "outside")
    for line in (b"../outside\n", b"/etc\n", b"\xff\xfe\n", b""):
        (run / "checkpoints" / "latest").write_bytes(line)
        with pytest.raises(UserError, match="has no checkpoint"):
            load_game(run)


def test_folders_that_are_no_runs_are_told_apart(tmp_path: Path):
    with pytest.raises(UserError, match="is not a run folder: it has no checkpoints"):
        load_game(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        load_game(tmp_path / "nowhere")
    assert newest_whole_checkpoint(tmp_path) == (None, [])


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path):
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(UserError, match=r"the checkpoint of step 7 was not saved"):
        save(tmp_path)
