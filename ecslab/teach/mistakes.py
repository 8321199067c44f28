"""Errors that are told, not traced: a learner's slip is answered in a sentence or three."""


class Mistake(Exception):
    """Shown in a notebook as its message alone."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for this instead of printing a traceback
        return str(self).splitlines()
