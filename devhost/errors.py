"""What can keep the development host from starting.

Every message is meant for the person at the keyboard, and says what to do.

DevhostError
├── AppError        the function app, its host.json or its local.settings.json cannot be used
├── PortInUseError  something else listens on the port
├── NodeError       no usable Node.js, or Azurite is not installed
├── AzuriteError    Azurite did not come up
└── CertificateError  TLS files are missing or do not fit
"""


class DevhostError(Exception):
    """Base of everything `python -m devhost` reports in one line instead of a traceback."""


class AppError(DevhostError):
    """The function app, its host.json or its local.settings.json cannot be used."""


class PortInUseError(DevhostError):
    """Something else listens on the port that was asked for."""


class NodeError(DevhostError):
    """There is no usable Node.js, or Azurite is not installed."""


class AzuriteError(DevhostError):
    """Azurite ended, or said nothing in time."""


class CertificateError(DevhostError):
    """The TLS certificate or its key cannot be used."""
