"""evaluate.py --compare on small run folders: what the page says, marks, draws and refuses."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.vidgen.commands.judged_runs import save_run
from vidgen.commands import comparison_samples
from vidgen.commands.comparison_charts import bar_chart, color_of, thinned
from vidgen.commands.comparison_scores import read_scores, score_rows
from vidgen.commands.evaluate import main
from vidgen.commands.running import run_command
from vidgen.commands.scores import Score, append_score
from vidgen.writing import write_clip

VOID = {"meta", "img", "br"}
DRAWN = {"path", "use", "line", "circle", "polygon", "rect"}


class Page(HTMLParser):
    """A page as its cells, texts and addresses; broken nesting fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.open = text, []
        self.tags: list[tuple[str, dict]] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if "tr" in self.open and self.rows[-1]:
            self.rows[-1][-1] = " ".join((self.rows[-1][-1] + " " + data).split())

    @property
    def prose(self):
        return " ".join(" ".join(self.words).split())

    def row(self, start):
        """The cells of the row whose first cell begins so; there is one."""
        found = [cells for cells in self.rows if cells and cells[0].startswith(start)]
        assert len(found) == 1, f"{len(found)} rows begin with {start!r}"
        return found[0]

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def compare(tmp_path, capsys):
    """Runs the command line: exit code, what was said, and the page if there is one."""

    def run(*arguments, out="report"):
        places = [] if out is None else ["--out", str(tmp_path / out)]
        given = ["--compare", *map(str, arguments), *places]
        code = run_command("evaluate.py", main, given)
        said, error = capsys.readouterr()
        page = None
        if code == 0:
            page = Page((tmp_path / out / "index.html").read_text(encoding="utf-8"))
        return SimpleNamespace(code=code, out=said, error=error, page=page)

    return run


def add_score(run: Path, name="acd", values=(1.0,), **changes):
    facts = {
        "metric": name,
        "values": list(values),
        "better": "neither",  # what the metric's own side must overrule
        "protocol": "default; how; 64 clips",
        "num_generated": 64,
        "num_real": 0,
        "checkpoint": "step-000000010",
        "checkpoint_sha256": "ab",
        "extractor": "",
        "extractor_sha256": "",
        "seconds": 1.0,
    }
    append_score(run / "metrics", name, Score(**(facts | changes)))


def make_run(folder: Path, learning_rate=0.1, scored=True, **settings):
    """A run folder as text files: settings, a log of three lines and, if wished, a score."""
    folder.mkdir(parents=True)
    game = {"class_path": "vidgen.TGAN", "init_args": {"rate": learning_rate, **settings}}
    config = {"game": game, "training": {"steps": 30, "betas": [0.5, 0.9]}, "run": str(folder)}
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    (folder / "about.json").write_text('{"versions": {"torch": "2.13.0"}, "hardware": "abacus"}')
    lines = [
        {"step": step, "critic/adversarial": step * learning_rate, "seconds": step / 10}
        for step in (10, 20, 30)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if scored:
        add_score(folder)
    return folder


def add_samples(run: Path, step=20, suffixes=("png", "mp4")):
    pixels = np.full((3, 2, 16, 16), 90, np.uint8)
    for suffix in suffixes:
        clip = pixels[:, :1] if suffix == "png" else pixels
        write_clip(run / f"samples/step-{step:09d}.{suffix}", clip, 4)


def test_values_deviations_counts_and_checkpoints_are_side_by_side(tmp_path, compare):
    runs = [make_run(tmp_path / name, scored=False) for name in ("one", "two")]
    add_score(runs[0], values=(2.0, 4.0), real=7.25)
    add_score(runs[1], values=(5.5,), real=7.25, checkpoint="step-000000020", num_generated=64)
    result = compare(*runs)
    assert result.code == 0, result.error
    cells = result.page.row("acd")
    assert cells[0] == "acd ↓ lower is better"
    assert cells[1] == "3 ± 1 ★ best 2 × 64 clips step-000000010"
    assert cells[2] == "5.5 1 × 64 clips step-000000020", "a single repeat has no deviation"
    assert cells[3] == "7.25"
    assert result.page.row("protocol")[0] == (
        "protocol: default; how; 64 clips "
        "the best is better than real clips: see what this metric cannot see"
    )
    assert result.page.row("metric")[1:3] == ["A one", "B two"]


@pytest.mark.parametrize(
    ("name", "best"), [("acd", "A"), ("psnr", "B"), ("change", ""), ("unheard_of", "")]
)
def test_the_best_is_marked_by_the_metric_s_better_side(tmp_path, compare, name, best):
    runs = [make_run(tmp_path / letter, scored=False) for letter in "AB"]
    for run, value in zip(runs, (1.0, 2.0), strict=True):
        add_score(run, name, (value,))
    cells = compare(*runs).page.row(name)
    marked = "".join(letter for letter, cell in zip("AB", cells[1:], strict=False) if "★" in cell)
    assert marked == best
    cells = compare(runs[0], make_run(tmp_path / "C", scored=False)).page.row(name)
    assert "★" not in cells[1], "alone in its row, nothing is the best"


def test_equals_are_both_best_and_overlapping_bars_are_told(tmp_path, compare):
    runs = [make_run(tmp_path / letter, scored=False) for letter in "ABCD"]
    for run, values in zip(runs, ((4.0, 6.0), (5.0,), (6.0, 8.0), (6.1, 8.3)), strict=True):
        add_score(run, values=values)  # 5 ± 1, 5, 7 ± 1, 7.2 ± 1.1
    page = compare(*runs).page
    assert ["★" in cell for cell in page.row("acd")[1:5]] == [True, True, False, False]
    assert "the bars of the best and of C overlap" in page.row("protocol")[0]


def test_other_protocols_have_rows_of_their_own_which_say_why(tmp_path, compare):
    runs = [make_run(tmp_path / letter, scored=False) for letter in "AB"]
    add_score(runs[0], values=(1.0,), protocol="default; how; 64 clips; size 32")
    add_score(runs[1], values=(2.0,), protocol="default; how; 128 clips; size 32")
    page = compare(*runs).page
    rows = [cells for cells in page.rows if cells and cells[0].startswith("acd")]
    values = [[cell.partition(" ")[0] for cell in row[1:3]] for row in rows]
    assert values == [["1", "–"], ["–", "2"]]
    assert "★" not in page.text.partition("</style>")[2].partition("Scores")[2]
    assert "64 clips here, 128 clips there" in page.prose
    assert "128 clips here, 64 clips there" in page.prose
    assert page.text.count("<mark>") == 2 and "<mark>128 clips</mark>" in page.text
    assert "only A was scored so" in page.prose and "only B was scored so" in page.prose


def test_of_several_lines_the_newest_counts_and_other_checkpoints_are_listed(tmp_path):
    run = tmp_path / "run"
    for value, checkpoint in ((9.0, "step-2"), (1.0, "step-1"), (3.0, "step-2")):
        add_score(run, values=(value,), checkpoint=checkpoint)
    (row,) = score_rows([read_scores(run / "metrics", [])], ["A"])
    (cell,) = row.cells
    assert cell.score.checkpoint == "step-2" and cell.score.value == 3
    assert [(other.checkpoint, other.value) for other in cell.others] == [("step-1", 1.0)]


def test_real_clips_that_differ_are_told_apart(tmp_path, compare):
    runs = [make_run(tmp_path / letter, scored=False) for letter in "ABC"]
    for run, real in zip(runs, (2.0, 2.0, 2.5), strict=True):
        add_score(run, "change", real=real)
    assert compare(*runs).page.row("change")[4] == "2 with A B 2.5 with C"


def test_bars_reach_one_deviation_each_way(tmp_path, compare):
    chart = bar_chart({0: (10.0, 2.0), 2: (14.0, 0.0)}, [18.0])
    assert (chart.low, chart.high) == (7.5, 18.5), "from 8 to 18, and a twentieth more"
    first, second = chart.bars
    assert (first.left, first.middle, first.right) == pytest.approx(
        (100 * 0.5 / 11, 100 * 2.5 / 11, 100 * 4.5 / 11), abs=0.01
    )
    assert second.left == second.middle == second.right == pytest.approx(100 * 6.5 / 11, abs=0.01)
    assert chart.real == pytest.approx([100 * 10.5 / 11], abs=0.01)
    assert bar_chart({}) is None
    runs = [make_run(tmp_path / letter, scored=False) for letter in "AB"]
    add_score(runs[0], values=(8.0, 12.0), real=18.0)
    add_score(runs[1], values=(14.0,), real=18.0)
    lines = compare(*runs).page.attributes("line")
    bars = [line for line in lines if line.get("class") == "bar"]
    assert [bar["stroke"] for bar in bars] == [color_of(0), color_of(1)]
    assert (bars[0]["x1"], bars[0]["x2"]) == (f"{first.left}%", f"{first.right}%")
    assert [line["x1"] for line in lines if line.get("class") == "real"] == [f"{chart.real[0]}%"]


def test_values_that_are_not_finite_have_no_bar_and_nan_is_never_best(tmp_path, compare):
    runs = [make_run(tmp_path / letter, scored=False) for letter in "ABC"]
    for run, value in zip(runs, (float("nan"), float("inf"), 3.0), strict=True):
        add_score(run, "psnr", (value, value))
    page = compare(*runs).page
    cells = page.row("psnr")
    assert cells[1].startswith("nan") and cells[2].startswith("inf ± nan ★ best")
    assert len([line for line in page.attributes("line") if line.get("class") == "bar"]) == 1


def test_curves_of_one_term_share_a_drawing_in_the_runs_colors(tmp_path, compare):
    runs = [make_run(tmp_path / letter, rate) for letter, rate in (("A", 0.1), ("B", 0.3))]
    with (runs[1] / "log.jsonl").open("a") as log:
        log.write('{"step": 30, "metrics/acd": 2.0}\n')
    page = compare(*runs).page
    figures = dict(
        re.findall(r"<figcaption>([\w/]+) .*?</figcaption>(.*?)</figure>", page.text, re.S)
    )
    assert list(figures) == ["critic/adversarial", "acd"], "losses first; seconds are no loss"
    assert color_of(0) in figures["critic/adversarial"]
    assert color_of(1) in figures["critic/adversarial"]
    assert color_of(0) not in figures["acd"] and color_of(1) in figures["acd"]
    assert ">step</text>" in figures["critic/adversarial"], "the axis has its name, as text"
    assert "currentColor" in figures["critic/adversarial"], "the ink of the page, light or dark"
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names)) > 0


def test_numbers_that_no_axis_can_hold_are_left_out_of_drawings(tmp_path, compare):
    runs = [make_run(tmp_path / letter, scored=False) for letter in "AB"]
    huge = "1" + "0" * 400
    (runs[0] / "log.jsonl").write_text(
        f'{{"step": 1, "a/b": 1e308, "seconds": {huge}}}\n{{"step": 2, "a/b": -1e308}}\n'
        f'{{"step": 1e308, "a/b": {huge}}}\n{{"step": 3, "a/b": NaN}}\n'
    )
    add_score(runs[0], values=(1e308, -1e308))
    with (runs[1] / "log.jsonl").open("a") as log:
        log.write('{"step": 40, "a/b": 2}')
    page = compare(*runs).page
    assert "nan" not in " ".join(path.get("d", "") for path in page.attributes("path")).lower()
    assert not [line for line in page.attributes("line") if line.get("class") == "bar"]


def test_many_points_are_thinned_to_their_extremes():
    values = np.zeros(10_000)
    values[[4321, 8765]] = 5, -5
    values[2000:2200] = np.nan
    kept = thinned(values)
    assert len(kept) < 600 and (np.diff(kept) > 0).all()
    assert {0, 4321, 8765, 9999} <= set(kept.tolist())
    assert np.isnan(values[kept]).any(), "a gap stays a gap"
    assert thinned(np.zeros(3)).tolist() == [0, 1, 2]


def test_settings_that_differ_are_listed_and_no_others(tmp_path, compare):
    page = compare(
        make_run(tmp_path / "A", 0.1, depth=3), make_run(tmp_path / "B", 0.2, width=[4, 5])
    ).page
    table = [cells for cells in page.rows if cells and cells[0].startswith(("game.", "training."))]
    assert sorted(table) == [
        ["game.init_args.depth", "3", "–"],
        ["game.init_args.rate", "0.1", "0.2"],
        ["game.init_args.width", "–", "[4, 5]"],
    ]
    assert "2 settings that only some of the runs have" in page.prose
    same = compare(tmp_path / "A", make_run(tmp_path / "C", 0.1, depth=3)).page
    assert "the settings of all runs that have any are the same" in same.prose


def test_facts_of_each_run_are_at_its_head(tmp_path, compare):
    runs = [make_run(tmp_path / letter) for letter in "AB"]
    game = save_run(runs[0], steps=(7,))
    page = compare(*runs).page
    total = sum(weight.numel() for weight in game.parameters())
    critic = sum(weight.numel() for weight in game.critic.parameters())
    assert f"{total:,} (" in page.prose and f"critic {critic:,}" in page.prose
    assert "7 of 30" in page.prose and "none saved, of 30" in page.prose
    assert page.prose.count("vidgen.TGAN") == 2 and page.prose.count("abacus") == 2
    assert "torch 2.13.0" in page.prose and "2 s (median)" in page.prose


def test_the_newest_samples_are_inside_the_page(tmp_path, compare):
    runs = [make_run(tmp_path / letter) for letter in "AB"]
    for step in (3, 20):
        add_samples(runs[0], step)
    add_samples(runs[1], 20, ["png"])
    page = compare(*runs).page
    newest = (runs[0] / "samples/step-000000020.mp4").read_bytes()
    (video,) = page.attributes("video")
    assert base64.b64decode(video["src"].removeprefix("data:video/mp4;base64,")) == newest
    assert base64.b64decode(video["poster"].partition(",")[2]).startswith(b"\xff\xd8"), "a JPEG"
    images = page.attributes("img")
    assert [image["src"][:22] for image in images] == ["data:image/png;base64,"] * 2
    assert "step-000000003" not in page.text


def test_broken_and_large_samples_cost_a_remark(tmp_path, compare, monkeypatch):
    runs = [make_run(tmp_path / letter) for letter in "ABC"]
    for run in runs:
        add_samples(run)
    (runs[0] / "samples/step-000000020.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    (runs[0] / "samples/step-000000020.mp4").write_bytes(b"no film")
    monkeypatch.setattr(comparison_samples, "LARGEST_BYTES", 2000)
    with (runs[1] / "samples/step-000000020.mp4").open("ab") as film:
        film.write(bytes(2000))
    result = compare(*runs)
    assert "samples/step-000000020.png is broken and left out" in result.page.prose
    assert "samples/step-000000020.mp4 is broken and left out" in result.page.prose
    assert "samples/step-000000020.mp4 is left out: its 0.0 MB are more than the" in result.out
    assert len(result.page.attributes("img")) == 2 and len(result.page.attributes("video")) == 1


def test_the_page_needs_nothing_else(tmp_path, compare):
    runs = [make_run(tmp_path / letter) for letter in "AB"]
    add_samples(runs[0])
    page = compare(*runs).page
    assert "http" not in page.text and "url(http" not in page.text and "@import" not in page.text
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "poster", "data"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
        assert not any(name.startswith("on") for name in attributes)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["index.html"]


def test_hostile_names_are_text(tmp_path, compare):
    evil = "<script>alert(1)</script>"
    run = make_run(tmp_path / '<img src=x onerror="alert(2)">', note=evil)
    add_score(run, metric=evil, protocol=f"{evil}; a", checkpoint=evil)
    (run / "about.json").write_text(json.dumps({"hardware": evil, "versions": {evil: evil}}))
    (run / "log.jsonl").write_text(
        json.dumps({"step": 1, f"{evil}/$\\frac$": 2.0, "_$x": 1, "\ud800": 1})
    )
    (run / "samples").mkdir()
    (run / "samples" / "step-<b>.png").write_bytes(b"")
    page = compare(run, make_run(tmp_path / "plain")).page
    assert not {"script", "b"} & {tag for tag, _ in page.tags} and not page.attributes("img")
    assert page.prose.count(evil) >= 7
    assert '<img src=x onerror="alert(2)">' in page.prose
    assert "samples/step-<b>.png is broken" in page.prose


def test_what_is_missing_or_cut_costs_a_remark(tmp_path, compare):
    whole, cut, empty = make_run(tmp_path / "whole"), make_run(tmp_path / "cut"), tmp_path / "empty"
    empty.mkdir()
    for path in (cut / "log.jsonl", cut / "metrics/acd.jsonl"):
        with path.open("a") as file:
            file.write('{"step": 40, "critic/advers')
    with (cut / "metrics/acd.jsonl").open("a") as file:
        file.write('\n{"metric": "acd", "values": ["many"]}\n[]\n')
    (cut / "config.yaml").write_text("game: [unclosed")
    (cut / "about.json").write_text("{")
    result = compare(whole, cut, empty)
    assert result.code == 0, result.error
    for remark in (
        "log.jsonl: broken lines passed over: 1",
        "metrics/acd.jsonl: broken lines passed over: 3",
        "config.yaml cannot be read: ",
        "about.json cannot be read: ",
        "no samples yet",
        "no checkpoint yet",
    ):
        assert f"{cut}: {remark}" in result.out and remark in result.page.prose
    assert f"{empty}: no scores of evaluate.py\n{empty}: it holds no training either" in result.out
    assert result.page.row("acd")[1].startswith("1 ") and result.page.row("acd")[3] == "–"


def test_runs_without_anything_still_make_a_page(tmp_path, compare):
    for name in "AB":
        (tmp_path / name).mkdir()
    page = compare(tmp_path / "A", tmp_path / "B").page
    assert "None of the runs has scores" in page.prose
    assert "None of the runs has a log with losses" in page.prose
    assert "Fewer than two of the runs have settings" in page.prose


def test_a_folder_of_scores_alone_can_be_compared(tmp_path, compare):
    add_score(tmp_path / "clips", values=(0.5,))
    (tmp_path / "clips/metrics").rename(tmp_path / "clips-metrics")
    page = compare(make_run(tmp_path / "run"), tmp_path / "clips-metrics").page
    assert page.row("acd")[2].startswith("0.5 ★ best")
    assert "a folder of scores: it holds no training" in page.prose


def test_refusals_are_one_line(tmp_path, compare):
    one, two = make_run(tmp_path / "one"), make_run(tmp_path / "two")
    (tmp_path / "file").write_text("")
    for arguments, text in (
        ([], "--compare needs two runs or more, and none was given"),
        ([one], f"--compare needs two runs or more, and only {one} was given"),
        ([one, tmp_path / "none"], "none: it is not there; give the folders of trainings"),
        ([one, tmp_path / "file"], "file: it is not a folder"),
        ([one, two, one / "../one"], "was given twice"),
        ([one, two, "--metrics=acd"], "takes only --out; leave out --metrics"),
        ([one, two, "--generated", one], "leave out --generated"),
        ([one, two, "--data.root", one], "leave out --data.root"),
        ([*[one] * 14, *[two] * 14], "up to 26 runs"),
    ):
        result = compare(*arguments)
        assert result.code == 2 and text in result.error, result.error
        assert len(result.error.splitlines()) == 1
    assert "--out report/" in compare(one, two, out=None).error
    assert "file is a file" in compare(one, two, out="file").error
    assert not (tmp_path / "report").exists()


def test_a_run_to_be_judged_contradicts(tmp_path, capsys):
    arguments = [str(tmp_path / "run"), "--compare", "a", "b", "--out", str(tmp_path / "report")]
    assert run_command("evaluate.py", main, arguments) == 2
    assert "--compare judges nothing: name" in capsys.readouterr().err
