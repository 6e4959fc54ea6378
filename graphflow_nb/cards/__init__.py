"""HTML and plain text of objects: what a notebook shows of them without a widget.

Values from a store are always escaped. Nothing here loads anything from a network.
"""
