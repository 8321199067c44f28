"""One question of every type, from `sample/sample.yaml`, and files made from it with one thing changed."""
from pathlib import Path

SAMPLE = Path(__file__).parent / "sample"
TEXT = (SAMPLE / "sample.yaml").read_text(encoding="utf-8")


def bank_folder(folder: Path, *changes: tuple[str, str]) -> Path:
    """A quizzes folder whose only file is the sample with some texts replaced, each exactly once."""
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "sample.yaml").write_text(text, encoding="utf-8")
    return folder
