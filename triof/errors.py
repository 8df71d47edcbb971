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
    ├── BundleRefused     a model may not be installed, put into service or removed, or cannot be written
    ├── DatasetError      the photos for training or evaluation cannot be used
    ├── CollectError      collecting cannot begin or go on
    ├── SourceError       a source of photos cannot be searched
    ├── FetchError        an address gave nothing; its kinds stand in curation/unfetched.py
    ├── NotAdmitted       a photo does not belong into a collection
    ├── FolderUnusable    another process works in the folder, or it cannot be written
    ├── AugmentError      no copies can be made of these photos
    ├── ReportUnwritable  a page to look at cannot be written
    ├── UploadImpossible  the photos cannot be sent to the cloud as they are
    └── EvaluationInterrupted  the cloud does not answer any more; its answers so far are kept
"""


class TriofError(Exception):
    """The message says what happened, why, and what to do, in one sentence or two."""
