"""HTML and plain text of things: what a notebook shows of them without a widget."""
