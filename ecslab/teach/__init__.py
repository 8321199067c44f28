"""The teacher: exercises, quizzes, progress.

The quiz engine (question, bank, scoring, shown, progress) knows nothing of
boto3, Docker or the region; only `aws` and `lab` talk to a region.
"""
from .bank import Bank, BankError, load_bank
from .exam import exam_door, open_exam, resume_exam
from .exercise import Exercise, Saw, exercise, load_exercises
from .lab import Lab, open_lab
from .places import content_root, home
from .proof import proof, refused
from .progress import Progress, ProgressError
from .scoring import AnswerError, Result, score

__all__ = [
    "AnswerError", "Bank", "BankError", "Exercise", "Lab", "Progress", "ProgressError", "Result", "Saw",
    "content_root", "exam_door", "exercise", "home", "load_bank", "load_exercises", "open_exam", "open_lab", "proof",
    "refused", "resume_exam", "score",
]
