"""The errors that Triof itself raises; those of the providers stand in ``providers/base.py``.

::

    TriofError
    ├── SettingsError     one or more settings are wrong; .mistakes
    ├── PhotoError        these bytes are not a photo we can judge; .code
    ├── CameraError       the camera gave no picture
    │   └── NothingChosen the touchscreen sent none
    ├── SlotError         the machine's hardware refused or failed
    │   ├── Interlocked   the movement would be dangerous now
    │   └── Jammed        a part is stuck; .part
    ├── MachineTaken      another process runs the machine
    ├── HomeUnusable      the home folder cannot be made or written to
    ├── JournalUnusable   the journal's database cannot be reached, read or upgraded
    ├── DrillImpossible   there is no machine to rehearse on, or somebody uses it
    └── DatasetError      the photos for training or evaluation cannot be used
"""


class TriofError(Exception):
    """The message says what happened, why, and what to do, in one sentence or two."""
