"""The errors of the database file, and who reacts to each.

TickwellError
└── StoreError                the database could not be read or written; the message says why
    ├── NoDatabaseError       nothing was recorded yet; a reader shows its empty state
    ├── BusyError             another process kept the file for too long; try again at the next slot
    ├── UnreadableError       the file is damaged or not a database; a recorder sets it aside and begins another
    ├── OlderSchemaError      written by an older Tickwell; a recorder brings it up to this version
    ├── NewerSchemaError      written by a newer Tickwell; a person updates this one, the file is left as it is
    ├── RefusedRecordError    a row, or its table, is bad; a recorder sets it aside and stores the others
    ├── ForeignExchangeError  prices of another exchange than the file's; a person names another file or address
    ├── FileError             a file to import is unreadable or lacks a column; the user corrects command or file
    └── RecorderError         another recorder is running on the same file; a person stops one of them
"""

from settings import TickwellError


class StoreError(TickwellError):
    """The database could not be read or written. Recorders keep their ticks and try again; readers say so."""


class NoDatabaseError(StoreError):
    """There is no database file yet. Readers show their empty state; a recorder creates it."""


class BusyError(StoreError):
    """Another process kept the file. Try again; the message names the process where it is known."""


class UnreadableError(StoreError):
    """The file is damaged or not a database. A recorder sets it aside; readers say so until then.

    `log_alone` is true if only the write-ahead log can't be used.
    """

    def __init__(self, message: str, *, log_alone: bool) -> None:
        super().__init__(message)
        self.log_alone = log_alone


class OlderSchemaError(StoreError):
    """An older version wrote the file. A recorder migrates it when it starts; readers say so until then."""


class NewerSchemaError(StoreError):
    """A newer version wrote the file. A person updates Tickwell; the file was not changed."""


class RefusedRecordError(StoreError):
    """The values of a row, or its table, are bad. A recorder sets that row aside, and stores the others."""


class ForeignExchangeError(StoreError):
    """The file has prices of another exchange than the replies. A person names another file or address."""


class FileError(StoreError):
    """A file to import can't be read or understood. The user corrects the command or the file; nothing was stored."""


class RecorderError(StoreError):
    """Another recorder has the file. A person decides which of the two continues."""
