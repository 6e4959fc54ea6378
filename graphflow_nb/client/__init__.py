"""One open store, called or awaited: what views, benchmarks and copies work with.

A ``Client`` has a storage that reports each operation, the bridge to the loop on which it lives,
the recorder of its operations and the journal of its writes. ``open_client`` opens one by URL,
``wrap_client`` makes one of a storage. It knows nothing of notebooks; the ``Workbench`` is a client
with DataFrames, cards and views.
"""

from .client import Client
from .connected import Connected, clients
from .opening import open_client, wrap_client
from .raw import StoredRow
from .snapshots import HeldSnapshot

__all__ = [
    "Client",
    "Connected",
    "HeldSnapshot",
    "StoredRow",
    "clients",
    "open_client",
    "wrap_client",
]
