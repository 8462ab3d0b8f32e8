"""Errors that a user can cause, each with a message that says what to do.

::

    LrcnError                   base: the command line prints its message in one line, exit code 2
    ├── ConfigError             a setting is unknown, of a wrong type, or contradicts another one
    ├── DataError               a data set as a whole cannot be used (nothing found, bad columns)
    │   ├── MissingFilesError   a list names files that are absent or unreadable
    │   └── LeakError           one group, or one file by content, stands on both sides of a split
    ├── MediaError              one video, image folder or feature file cannot be read
    ├── ModelError              a model folder is damaged, or does not fit what it is used for
    ├── WeightsError            pretrained weights cannot be had: offline, not installed
    ├── OutputError             the output exists already or cannot be written
    ├── TrainingDivergedError   the loss became infinite or no number
    └── ResultsError            results files that cannot be compared or read

A message has three parts: what was wrong and its value; what is allowed; what to do next.
"""

from __future__ import annotations


class LrcnError(Exception):
    """Base of every error that a user can cause and mend."""


class ConfigError(LrcnError, ValueError):
    """A setting is unknown, of a wrong type, or contradicts another one."""


class DataError(LrcnError):
    """A data set as a whole cannot be used."""


class MissingFilesError(DataError):
    """A list names files that are absent or unreadable, and skipping was not allowed."""


class LeakError(DataError):
    """One group, or one file by content, stands on both sides of a split."""


class MediaError(LrcnError):
    """One video, image folder or feature file cannot be read."""


class ModelError(LrcnError):
    """A model folder is damaged, or does not fit what it is used for."""


class WeightsError(LrcnError):
    """Pretrained weights cannot be had: offline, package not installed, wrong file."""


class OutputError(LrcnError):
    """The output exists already, or cannot be written."""


class ResultsError(LrcnError):
    """Results files cannot be compared or read."""


class TrainingDivergedError(LrcnError):
    """The loss became infinite or no number."""
