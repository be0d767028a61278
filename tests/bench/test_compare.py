from bench.compare import table
from bench.report import Report, percentile, rounded


def report(program, *, error="", **figures):
    made = Report(program, "x")
    for name, value in figures.items():
        made.add(name, value, "u", better="higher" if name.startswith("rate") else "lower")
    if error:
        made.error(error)
    return made


def test_counts_better_as_more_than_one_whichever_way_a_figure_runs():
    theirs = [report("p", rate=100, time=8), report("p", rate=300, time=10), report("p", rate=200, time=12)]
    rows, text = table(theirs, [report("p", rate=400, time=5)])
    assert [(row["figure"], row["their_median"], row["ratio"]) for row in rows] == [
        ("rate", 200, 2),
        ("time", 10, 2),
    ]
    assert "2.00x" in text
    assert "theirs 100-300" in text


def test_leaves_void_reports_out():
    rows, _text = table(
        [report("p", rate=100)], [report("p", rate=900, error="lost one"), report("p", rate=50)]
    )
    assert rows[0]["ours"] == [50]
    rows, text = table([report("p", rate=100)], [report("p", rate=900, error="lost one")])
    assert rows[0]["ratio"] is None
    assert "900" not in text


def test_takes_percentiles_that_occurred():
    assert percentile([5, 1, 3], 0.5) == 3
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([7], 0.99) == 7


def test_rounds_to_what_is_worth_reading():
    assert [rounded(v) for v in (0, 1234.5, 12.345, 0.012345)] == ["0", "1,234", "12.3", "0.0123"]
