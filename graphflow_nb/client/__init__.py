"""One open store, called or awaited, and how it is opened."""
