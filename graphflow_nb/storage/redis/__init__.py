"""Sessions in Redis and Valkey."""

from .storage import RedisSessionStorage

__all__ = ["RedisSessionStorage"]
