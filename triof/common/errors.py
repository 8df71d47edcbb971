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
    ├── CannotListen      the address or the port of the server cannot be had
    ├── HomeUnusable      the home folder cannot be made or written to
    ├── DatabaseUnusable  the database cannot be read or written; .code
    ├── BackupImpossible  no copy of the journal can be made
    ├── RestoreImpossible a file cannot take the journal's place
    ├── SalvageImpossible a journal's file cannot be read at all
    ├── DrillImpossible   there is no machine to rehearse on, or somebody uses it
    ├── BundleRefused     a model may not be installed, put into service or removed, or cannot be written
    ├── RolloutRefused    a candidate may not begin, or not be promoted, as things are
    ├── DatasetError      the photos for training or evaluation cannot be used
    ├── CollectError      collecting cannot begin or go on
    ├── SourceError       a source of photos cannot be searched
    ├── FetchError        an address gave nothing; its kinds stand in curation/unfetched.py
    ├── NotAdmitted       a photo does not belong into a collection
    ├── FolderUnusable    another process works in the folder, or it cannot be written
    ├── AugmentError      no copies can be made of these photos
    ├── KeyImpossible     a key of the API cannot be made, replaced or taken back as asked
    ├── KeyRefused        this key opens nothing; .code
    ├── QueueFull         no photo can be queued now
    ├── KeyReused         the idempotency key stands for another request
    ├── StillRunning      the request with this idempotency key is being answered
    ├── Refusal           a request to the API is not answered as asked; .code
    ├── UserRefused       somebody cannot be let in to the dashboard like that
    ├── ReportUnwritable  a page to look at cannot be written
    ├── UploadImpossible  the photos cannot be sent to the cloud as they are
    ├── NotDelivered      a channel did not take an alert
    ├── NothingToAccept   no alert or signal is called like that
    └── EvaluationInterrupted  the cloud does not answer any more; its answers so far are kept
"""


class TriofError(Exception):
    """The message says what happened, why, and what to do, in one sentence or two."""
