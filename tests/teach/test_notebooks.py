"""One source gives two notebooks, the same on every run, and stale ones are told."""
import json
import subprocess
import sys

import nbformat
import pytest

from ecslab.teach.notebooks import NotebookError, build, learner, solution, split_solution

from .samples import bank_folder

SOURCE = '''# %% [markdown]
# # Counting
#
# A lesson. ![A sum](images/sum.svg)

# %%
import os
total = 0
print(os.environ["ECSLAB_ENGINE"], sorted({"a", "b", "c"}))

# %% [markdown]
# ## Exercise

# %% exercise="sums.add"
for number in (1, 2):
    ### BEGIN SOLUTION
    total += number
    ### END SOLUTION
    pass
print(total)

# %% tags=["raises-exception"]
1 / 0

# %%
!echo from the shell
'''


@pytest.fixture
def root(tmp_path):
    (tmp_path / "labs" / "source").mkdir(parents=True)
    (tmp_path / "labs" / "source" / "90-sums.py").write_text(SOURCE)
    return tmp_path


def source(root):
    return root / "labs" / "source" / "90-sums.py"


def test_the_learner_gets_a_placeholder_in_place_of_the_solution(root):
    code = learner(source(root)).cells[3].source
    assert code == "for number in (1, 2):\n    # Your code here\n    pass\nprint(total)"


def test_the_solved_notebook_keeps_the_solution_without_its_markers(root):
    code = solution(source(root)).cells[3].source
    assert code == "for number in (1, 2):\n    total += number\n    pass\nprint(total)"


def test_pictures_are_found_from_both_notebooks(root):
    assert "](images/sum.svg)" in learner(source(root)).cells[0].source
    assert "](../images/sum.svg)" in solution(source(root)).cells[0].source


def test_building_writes_both_and_runs_the_solved_one(root):
    written = build(root=root)
    assert [path.removeprefix(str(root)) for path in written] == ["/labs/90-sums.ipynb", "/labs/solved/90-sums.ipynb"]
    learners, solved = (nbformat.read(path, as_version=4) for path in written)
    assert all(not cell.get("outputs") for cell in learners.cells)
    outputs = [cell.outputs for cell in solved.cells if cell.cell_type == "code"]
    assert outputs[0][0]["text"] == "simulated ['a', 'b', 'c']\n"
    assert outputs[1][0]["text"] == "3\n"
    assert outputs[2][0]["ename"] == "ZeroDivisionError"
    assert "from the shell" in outputs[3][0]["text"]


def test_building_twice_writes_the_same_bytes(root):
    first = [open(path, "rb").read() for path in build(root=root)]
    assert [open(path, "rb").read() for path in build(root=root)] == first
    assert not any("/labs/" in text.decode() for text in first)


def test_fresh_notebooks_are_not_stale_and_a_changed_source_is(root):
    assert [line.split(" is ")[0] for line in build(check=True, root=root)] == ["labs/90-sums.ipynb", "labs/solved/90-sums.ipynb"]
    build(root=root)
    assert build(check=True, root=root) == []
    source(root).write_text(SOURCE.replace("(1, 2)", "(1, 2, 3)"))
    assert len(build(check=True, root=root)) == 2


def test_an_edited_notebook_is_stale(root):
    path = root / "labs" / "90-sums.ipynb"
    build(root=root)
    notebook = json.loads(path.read_text())
    notebook["cells"][1]["source"] = ["total = 1"]
    path.write_text(json.dumps(notebook))
    assert build(check=True, root=root) == ["labs/90-sums.ipynb is stale: run `ecslab labs` and commit what it writes."]


def test_a_cell_added_in_one_section_leaves_the_ids_of_the_others_alone(root):
    before = {cell.source: cell.id for cell in learner(source(root)).cells}
    source(root).write_text(SOURCE.replace("# %%\nimport os", "# %%\nnew = 1\n\n# %%\nimport os"))
    after = {cell.source: cell.id for cell in learner(source(root)).cells}
    moved = {text for text in before if before[text] != after[text]}
    assert moved == {text for text in before if text.startswith("import os")}
    assert len(set(after.values())) == len(after)


def test_a_cell_that_fails_is_told_with_its_error(root):
    source(root).write_text("# %%\nraise ValueError('no such luck')\n")
    with pytest.raises(NotebookError, match="(?s)90-sums: .*no such luck"):
        build(root=root)


@pytest.mark.parametrize(
    "code",
    ["### BEGIN SOLUTION\nx", "x\n### END SOLUTION", "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION"],
)
def test_unbalanced_markers_are_refused(code):
    with pytest.raises(ValueError):
        split_solution(code, keep=True)


WIDGETS = '''# %%
from ecslab.teach import Lab, Progress

lab = Lab("90-sums", None, store=Progress(":memory:"))
lab.quiz("sample", n=3)

# %%
lab.ask("sample.numeric")
lab.answer("sample.numeric", 4)
'''


def nbval(notebook, root):
    from ecslab.teach.notebooks import environment

    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", notebook.name]
    env = environment(root / "home", root)
    return subprocess.run(command, cwd=notebook.parent, env=env, capture_output=True, text=True, timeout=120)


def test_a_solved_notebook_with_widgets_holds_under_strict_nbval_and_a_changed_output_does_not(root):
    (root / "quizzes").mkdir()
    bank_folder(root / "quizzes")
    source(root).write_text(WIDGETS)
    build(root=root)
    solved = root / "labs" / "solved" / "90-sums.ipynb"
    text = solved.read_text()
    assert "Quiz: Sample, 3 questions." in text and "model_id" not in text
    good = nbval(solved, root)
    assert "2 passed" in good.stdout, good.stdout
    solved.write_text(text.replace("That would be `minimumHealthyPercent` 100.", "That would be something else."))
    changed = nbval(solved, root)
    assert "1 failed, 1 passed" in changed.stdout, changed.stdout
