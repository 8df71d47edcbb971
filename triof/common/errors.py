"""The errors that Triof raises; those of the providers are in ``providers/base.py``.

::

    TriofError
    ├── SettingsError     one or more settings are wrong; .mistakes
    ├── PhotoError        the bytes are not a photo that can be judged; .code
    ├── CameraError       the camera gave no picture; .code
    │   └── NothingChosen the touchscreen sent none
    ├── SlotError         the machine's hardware refused or failed
    │   ├── Interlocked   the movement would be dangerous now
    │   ├── Jammed        a part is stuck; .part
    │   └── EmergencyStopped  the emergency stop was pressed and not cleared since
    ├── MachineTaken      another process runs the machine
    ├── CannotListen      the server cannot use its address or port
    ├── HomeUnusable      the home folder cannot be made or written to
    ├── DatabaseUnusable  the database cannot be read or written; .code
    ├── BackupImpossible  no copy of the journal can be made
    ├── RestoreImpossible a file cannot replace the journal
    ├── SalvageImpossible a journal's file cannot be read
    ├── DrillImpossible   there is no machine for the drill, or it is in use
    ├── BundleRefused     a model may not be installed, put into service or removed, or cannot be written
    ├── RolloutRefused    a candidate cannot start or be promoted now
    ├── DatasetError      the photos for training or evaluation cannot be used
    ├── CollectError      collecting cannot start or continue
    ├── SourceError       a source of photos cannot be searched
    ├── FetchError        a download failed; its kinds are in curation/collecting/fetch_errors.py
    ├── NotAdmitted       a photo does not belong in a collection
    ├── FolderUnusable    another process uses the folder, or it cannot be written
    ├── AugmentError      no copies can be made of these photos
    ├── KeyImpossible     a key of the API cannot be created, rotated or revoked as requested
    ├── KeyRefused        the key is not valid; .code
    ├── QueueFull         no photo can be queued now
    ├── KeyReused         the idempotency key belongs to another request
    ├── StillRunning      the request with this idempotency key is in progress
    ├── Refusal           a request to the API is refused; .code
    ├── UserRefused       a user of the dashboard cannot be created or changed as requested
    ├── ReportUnwritable  a page cannot be written
    ├── UploadImpossible  the photos cannot be sent to the cloud as they are
    ├── NotDelivered      a channel did not accept an alert
    ├── NothingToAccept   no alert or signal has this name
    └── EvaluationInterrupted  the cloud stopped answering; its answers so far are kept
"""


class TriofError(Exception):
    """Base of all errors. The message says what happened, why, and how to fix it, in one or two sentences."""
