"""Sessions in Redis and Valkey, a single server or a cluster, in the form graph-flow documents.

What is not obvious here:

- A session remembers the SHA-1 of the text that it was read from. One Lua script compares that
  with the stored text and writes.
- A worker that follows graph-flow's documentation does not count versions, so the version in its
  JSON stays 0. A number above 2^62, computed from the digest, is the version of such a session.
- The keys of the index share one hash tag, so a cluster keeps them on one node. The index is
  written after the session and checked against the sessions in each read.
- Values that are not sessions are never listed, changed or deleted.

``client.py`` sends commands, ``form.py`` is the stored text, ``records.py`` one text under its key,
``batches.py`` several, ``index.py`` the sorted sets, ``keys.py`` all sessions by their keys,
``queries.py`` pages and counts, and ``storage.py`` joins them.
"""

from .storage import RedisSessionStorage

__all__ = ["RedisSessionStorage"]
