"""What can go wrong in the shop."""

from __future__ import annotations


class ValidationError(Exception):
    """The request can never be fulfilled as it stands."""


class PaymentDeclinedError(Exception):
    """The bank said no; asking again changes nothing."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class GatewayTimeoutError(ConnectionError):
    """The payment gateway did not answer."""


class CarrierDownError(ConnectionError):
    """The carrier's booking service is out of order."""


class ApprovalRejectedError(PermissionError):
    """A human decided against it."""


class ApprovalTimeoutError(TimeoutError):
    """Nobody decided in time."""


class StockDriftError(Exception):
    """The ledger and the shelves disagree by more than is tolerated."""


class LedgerError(Exception):
    """The ledger refused an entry; ``cause`` is what its database said, kept because pickles drop ``__cause__``."""

    def __init__(self, message: str, cause: Exception) -> None:
        super().__init__(message)
        self.cause = cause

    def __reduce__(self) -> tuple[type[LedgerError], tuple[str, Exception]]:
        return type(self), (str(self), self.cause)
