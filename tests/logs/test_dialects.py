"""Tables as loggers, spreadsheets and killed runs leave them: read as a person would, or told."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import earlystop as es
from earlystop.logs.columns import number
from earlystop.logs.dialect import is_number
from tests.logs.reading import logged, read, write


def notes(history: es.History) -> str:
    assert history.report is not None
    return "; ".join(note for file in history.report.files for note in file.notes)


def error(text: str | bytes, **options: Any) -> str:
    with pytest.raises(es.LogError) as caught:
        read(text, **options)
    return str(caught.value)


comments = st.lists(st.sampled_from(["# a note\n", "#\n", "# lr=0.1, batch=8\n", "#{}\n", "\n"]))


@given(comments, st.lists(comments, min_size=3, max_size=3), st.sampled_from([",", ";", "\t", " "]))
def test_lines_of_comment_are_passed_over_wherever_they_stand(
    before: list[str], between: list[list[str]], separator: str
) -> None:
    rows = ["epoch,loss,acc\n", "0,0.9,0.1\n", "1,0.5,0.2\n"]
    text = "".join(
        row.replace(",", separator) + "".join(c) for row, c in zip(rows, between, strict=True)
    )
    history = read("".join(before) + text)
    assert logged(history, "loss") == [0.9, 0.5]
    assert history.coordinates["epoch"].tolist() == [[0, 1]]


@pytest.mark.parametrize("mark", ["#", "# ", "#my run\n# ", "# lr=0.1\n#"])
@pytest.mark.parametrize("separator", [",", "\t", " "])
def test_a_header_may_be_written_as_a_comment(mark: str, separator: str) -> None:
    text = f"{mark}epoch,loss\n0,0.9\n1,0.5\n".replace(",", separator)
    assert logged(read(text), "loss") == [0.9, 0.5]


def test_the_monitor_file_of_stable_baselines3_is_read(tmp_path: Path) -> None:
    text = '#{"t_start": 1614619328.3, "env_id": "CartPole-v1"}\nr,l,t\n9.0,9,0.5\n21.0,21,0.9\n'
    history = es.read_history(write(tmp_path / "0.monitor.csv", text))
    assert logged(history, "r") == [9, 21]


def test_a_first_line_may_name_the_separator() -> None:
    assert logged(read("sep=;\nepoch;loss\n0;1,5\n1;0,5\n"), "loss") == [1.5, 0.5]
    assert logged(read('"sep=|"\nepoch|loss\n0|1.5\n'.encode("utf-16")), "loss") == [1.5]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_may_end_as_on_any_system(end: str) -> None:
    assert logged(read(end.join(["epoch,loss", "0,1.5", "1,0.5", ""])), "loss") == [1.5, 0.5]
    records = end.join(['{"epoch": 0, "loss": 1.5}', '{"epoch": 1, "loss": 0.5}', ""])
    assert logged(read(records), "loss") == [1.5, 0.5]


NOT_REPORTED = ["", "NA", "N/A", "#N/A", "<NA>", "null", "None", "-", "--"]
NOT_A_NUMBER = ["nan", "-nan(ind)", "nan(snan)", "1.#IND", "-1.#QNAN00", "#DIV/0!", "#NUM!"]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("text", [*NOT_REPORTED, *NOT_A_NUMBER])
def test_a_column_is_one_of_numbers_wherever_it_has_none(text: str, place: int) -> None:
    cells = ["1.0", "0.5", "0.25"]
    cells[place] = text
    history = read("val_loss,epoch\n" + "".join(f"{c},{n}\n" for n, c in enumerate(cells)))
    assert history.reported("val_loss")[0].sum() == (2 if text in NOT_REPORTED else 3)
    values = [v for v in logged(history, "val_loss") if not math.isnan(v)]
    assert values == [float(c) for c in cells if c != text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.#INF", math.inf),
        ("-1.#INF00", -math.inf),
        ("tensor(0.5)", 0.5),
        ("tensor(0.5, device='cuda:0', grad_fn=<A>)", 0.5),
        ("np.float64(0.5)", 0.5),
        ("tf.Tensor(0.5, shape=(), dtype=float32)", 0.5),
        ("[0.5]", 0.5),
        ("50%", 50.0),
    ],
)
def test_numbers_are_read_in_the_spelling_of_other_programs(text: str, value: float) -> None:
    assert logged(read(f'epoch;loss\n0;"{text}"\n1;{text}\n'), "loss") == [value, value]


def test_a_column_of_per_cent_is_told() -> None:
    assert "acc: in per cent" in notes(read("epoch,acc\n0,12.5%\n1,20%\n"))
    assert "'acc'" in error("epoch,acc\n0,0.125\n1,20%\n")


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["0.9", "12,000"], [0.9, 12000]),
        (["1,234,567", "12,000"], [1234567, 12000]),
        (["1,234.5", "12,000"], [1234.5, 12000]),
        (["0,9", "12,000"], [0.9, 12]),
        (["0,9", "12.000"], [0.9, 12000]),
        (["1.234,5", "12.000"], [1234.5, 12000]),
        (["0,9", "0.8"], [0.9, 0.8]),
        (["1,25e-3", "-3,5"], [0.00125, -3.5]),
        (["12 000", "1'234.5"], [12000, 1234.5]),
        (["12\u202f000,5", "7"], [12000.5, 7]),
    ],
)
@pytest.mark.parametrize("apart", [True, False])
def test_what_a_comma_means_is_decided_by_the_whole_file(
    cells: list[str], values: list[float], apart: bool
) -> None:
    first, second = cells
    if apart:
        history = read(f"epoch;a;b\n0;{first};{second}\n1;{first};{second}\n")
        assert [logged(history, name)[0] for name in "ab"] == values
    else:
        assert logged(read(f'epoch,a\n0,"{first}"\n1,"{second}"\n'), "a") == values


def test_a_comma_that_may_mean_two_things_is_told() -> None:
    assert "'samples'" in error("epoch;a;b;samples\n0;0.9;0,9;12,000\n1;0.8;0,8;24,000\n")
    history = read("epoch;loss\n0;1,234\n1;1,120\n")
    assert logged(history, "loss") == [1.234, 1.12]
    assert "commas are taken for those of decimals, as in 1,234" in notes(history)


def test_columns_of_one_name_are_told_apart() -> None:
    history = read("epoch,loss,loss,loss.1,loss\n0,1,2,3,4\n")
    assert {name: logged(history, name) for name in history.metrics} == {
        "loss": [1],
        "loss.2": [2],
        "loss.1": [3],
        "loss.3": [4],
    }
    assert "loss.2, loss.3" in notes(history)


def test_quoted_cells_may_have_line_breaks_and_separators_in_any_row() -> None:
    text = 'epoch,note,loss\n0,"warm-up\nof 5, at first",1.0\n1,"none",0.9\n2,"a\n\nb",0.8\n'
    assert logged(read(text), "loss") == [1.0, 0.9, 0.8]


def test_a_header_with_more_columns_goes_on_where_the_epochs_do() -> None:
    text = "epoch,loss,note\n0,1,a\n1,0.9,b\nepoch,loss,acc\n2,0.8,0.5\nepoch,acc,loss\n3,0.6,0.7\n"
    history = read(text)
    assert logged(history, "loss") == [1, 0.9, 0.8, 0.7]
    assert logged(history, "acc") == [0.5, 0.6]
    assert history.reported("acc").tolist() == [[False, False, True, True]]


def test_a_header_that_is_repeated_goes_on_with_the_run_unless_the_epochs_begin_again() -> None:
    header = "epoch,loss\n"
    gone_on = read(f"{header}0,1\n1,0.9\n{header}2,0.8\n3,0.7\n")
    assert logged(gone_on, "loss") == [1, 0.9, 0.8, 0.7]
    resumed = read(f"{header}0,1\n1,0.9\n2,0.8\n{header}2,0.7\n3,0.6\n")
    assert logged(resumed, "loss") == [1, 0.9, 0.7, 0.6]
    assert read(f"{header}0,1\n1,0.9\n{header}0,0.8\n1,0.7\n").runs == 2
    assert read("loss,acc\n1,2\nloss,acc\n3,4\n").runs == 2


def test_columns_may_join_where_a_run_goes_on() -> None:
    history = read("epoch,loss\n0,1\n1,0.9\nepoch,loss,acc\n2,0.8,0.5\n")
    assert logged(history, "loss") == [1, 0.9, 0.8]
    assert history.reported("acc").tolist() == [[False, False, True]]


@pytest.mark.parametrize("rest", ["2,0.4", "2", "2,0.4,0.", "2,0.4,-", '2,"0.4'])
def test_the_last_line_of_a_killed_run_is_left_out_if_it_is_cut_off(rest: str) -> None:
    history = read(f"epoch,loss,val_loss\n0,0.9,1.0\n1,0.5,0.8\n{rest}")
    assert logged(history, "val_loss")[:2] == [1.0, 0.8]
    if rest.count(",") < 2:
        assert logged(history, "loss") == [0.9, 0.5]
        assert "line 4, the last, is cut off" in notes(history)
    lines = '{"epoch": 0, "loss": 0.9}\n{"epoch": 1, "loss": 0.5}\n'
    history = read(lines + '{"epoch": 2, "lo')
    assert logged(history, "loss") == [0.9, 0.5]
    assert "line 3, the last, is cut off" in notes(history)


def test_an_error_names_the_column_and_what_stands_in_it() -> None:
    assert "'val_loss' has no numbers, but 'worse'" in error("epoch,val_loss\n0,worse\n1,bad\n")
    said = error("epoch,loss\n0,0.5\n1,0.4\n2,oops\n")
    assert "line 4" in said
    assert "'loss', got 'oops'" in said
    said = error("epoch,loss\n0,oops\n1,0.4\n2,0.3\n")
    assert "line 2" in said
    assert "'loss', got 'oops'" in said


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_evaluations_of_stable_baselines3_are_read() -> None:
    results, steps = np.array([[1.0, 3.0], [4.0, 6.0]]), np.array([10_000, 20_000])
    history = read(npz(timesteps=steps, results=results, ep_lengths=np.ones((2, 2))))
    assert logged(history, "results") == [2, 5]
    assert history.coordinates["timesteps"].tolist() == [[10_000, 20_000]]
    assert "the mean is taken: results, ep_lengths" in notes(history)


def test_an_archive_of_arrays_is_a_run_or_a_run_a_row() -> None:
    history = read(npz(epoch=np.arange(3), loss=np.ones(3), iou=np.ones((3, 2)), names=["a"]))
    assert list(history.metrics) == ["loss", "iou/0", "iou/1"]
    assert "left out: names" in notes(history)
    history = read(npz(loss=np.ones((4, 3)), acc=np.zeros((4, 3))))
    assert (history.runs, sorted(history.metrics)) == (4, ["acc", "loss"])
    assert "expected arrays with a value an epoch" in error(
        npz(loss=np.ones((2, 3)), acc=np.ones((4, 5)))
    )


def test_an_archive_of_arrays_that_is_damaged_or_grows_is_refused() -> None:
    whole = npz(loss=np.ones(100), acc=np.ones(100))
    for data in (whole[:-30], whole[:100], whole.replace(b"NUMPY", b"NUMPX")):
        assert "NumPy array" in error(data)
    packed = io.BytesIO()
    np.savez_compressed(packed, loss=np.zeros(4_000_000))
    assert "unpacked" in error(packed.getvalue())


@pytest.mark.parametrize("format", ["table", "downloaded_scalars"])
@pytest.mark.parametrize("line", ["\r\x08", "\r", ",", '"a\rb'])
def test_a_first_line_that_has_no_cells_is_no_header(line: str, format: str) -> None:
    with pytest.raises(es.LogError):
        es.read_history(io.StringIO(f"{line}\n1\n2\n"), format=format)
    with pytest.raises(es.LogError):
        es.read_history(io.StringIO(f"{line}\n"), format=format)


def test_a_data_frame_whose_columns_have_no_names_but_numbers_is_read() -> None:
    history = read(",0,1\n0,0.9,0.1\n1,0.5,0.2\n")
    assert {name: logged(history, name) for name in history.metrics} == {
        "0": [0.9, 0.5],
        "1": [0.1, 0.2],
    }
    assert "plain text" in error(",0,1\nx,0.9,0.1\n") or "header" in error(",0,1\nx,0.9,0.1\n")


@given(
    st.from_regex(r"[^\W\d]\w{0,8}", fullmatch=True)
    | st.sampled_from(["nan", "NaN", "INF", "Infinity", "inf_", "nanx", "tensor"])
)
def test_a_word_is_a_number_only_where_python_reads_one(word: str) -> None:
    try:
        expected = number(word) is not None
    except ValueError:
        expected = False
    assert is_number(word) == expected
