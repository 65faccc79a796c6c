"""The filled shop for the tests of this folder."""

from tests.engines.temporal.shop import temporal_shop

__all__ = ["temporal_shop"]
