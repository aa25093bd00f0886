"""Charts and tables in the documentation: of a run without a wrong answer, or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from bench.bars import Bar, draw
from bench.charts import BEGIN, CHARTS, END, PAGE, main
from bench.figures import Report
from bench.process import ROOT
from bench.results import read_results, write_results
from bench.scenarios import OPEN, SCENARIOS
from tests.bench.runs import RIGHT, changed, run_of

SVG = "{http://www.w3.org/2000/svg}"
TEXT = f"# Performance\n\nBefore.\n\n{BEGIN}old\n{END}\nAfter.\n"
RUN = run_of(
    {"passthrough": [RIGHT] * 3, "gateway": [changed(cpu_us=30.0)] * 3, "litellm": [changed(cpu_us=900.0)] * 3}
)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    (tmp_path / PAGE).write_text(TEXT)
    return tmp_path


def written(docs: Path, *reports: Report) -> int:
    write_results(docs / "results.json", reports)
    return main([str(docs / "results.json")], docs)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_results(tmp_path / "results.json", [RUN])
    assert read_results(tmp_path / "results.json") == [RUN]


def test_every_chart_has_a_bar_of_each_system(docs: Path) -> None:
    assert written(docs, RUN) == 0
    assert {file.name for file in (docs / "pictures").iterdir()} == set(CHARTS)
    for name in CHARTS:
        drawing = ET.parse(docs / "pictures" / name).getroot()
        kinds = [bar.get("class") for bar in drawing.iter(f"{SVG}rect")]
        assert sorted(map(str, kinds)) == ["floor", "ours", "paper", "peer"]
        texts = [text.text for text in drawing.iter(f"{SVG}text")]
        assert {"this gateway", "pass-through", "LiteLLM"} < set(texts)


def test_the_page_has_goals_figures_and_pairs_between_its_marks(docs: Path) -> None:
    assert written(docs, RUN, msgspec.structs.replace(RUN, pair="chat-chat")) == 0
    page = (docs / PAGE).read_text()
    assert page.startswith(TEXT.partition("old")[0])
    assert page.endswith(TEXT.partition("old\n")[2])
    assert "| P1 | CPU a chunk, 5 ms pace, 8 streams, of LiteLLM's | 1/30 | must ≤ 1/10 met | goal ≤ 1/18 met |" in page
    assert "| 5 ms pace, 8 streams | CPU µs a chunk | 20.00 | 30.00 | 900.00 |" in page
    assert "| chat-chat | 1.50 x |" in page
    assert re.findall(r"\(pictures/([\w.-]+)\)", page) == list(CHARTS)
    assert written(docs, RUN) == 0  # it can be done again


@pytest.mark.parametrize(
    "unfit",
    [
        run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT, changed(errors={"status 500": 1}), RIGHT]}),
        run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3}, quick=True),
        run_of({"passthrough": [RIGHT] * 2, "gateway": [RIGHT] * 2}),
    ],
    ids=["wrong answers", "quick", "two rounds"],
)
def test_a_run_that_is_not_fit_for_it_changes_nothing(
    docs: Path, unfit: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(docs, RUN, unfit) == 1
    assert (docs / PAGE).read_text() == TEXT
    assert not list((docs / "pictures").iterdir())
    assert "nothing is written" in capsys.readouterr().out


def test_a_chart_of_an_earlier_run_does_not_stay(docs: Path) -> None:
    assert written(docs, RUN) == 0
    few = run_of({"passthrough": [RIGHT] * 3, "gateway": [RIGHT] * 3}, scenarios=SCENARIOS)
    assert written(docs, few) == 0
    files = {file.name for file in (docs / "pictures").iterdir()}
    assert files == set(CHARTS) - {"bench-open.svg"}
    assert "bench-open.svg" not in (docs / PAGE).read_text()
    assert OPEN.name not in (docs / PAGE).read_text()


def test_bars_are_as_long_as_their_values() -> None:
    bars = [Bar("a & b", 30.0, "30", "peer"), Bar("c", 10.0, "10", "ours")]
    drawing = ET.fromstring(draw("A <title>", "about", bars))
    [paper, short, long] = drawing.iter(f"{SVG}rect")
    assert paper.get("class") == "paper"
    assert float(str(long.get("width"))) == pytest.approx(3 * float(str(short.get("width"))), rel=0.01)


def test_the_documentation_shows_the_charts_that_it_has() -> None:
    page = (ROOT / "docs" / PAGE).read_text("utf-8")
    shown = re.findall(r"\(pictures/([\w.-]+)\)", page)
    assert sorted(shown) == sorted(file.name for file in (ROOT / "docs" / "pictures").glob("bench-*"))
    assert set(shown) <= set(CHARTS)
    assert page.count(BEGIN) == page.count(END) == 1
