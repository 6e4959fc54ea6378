"""Pictures in HTML that needs neither a kernel nor a script, in the colours of its page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from ..figures.theme import ThemeName

__all__ = ["THEMES", "render_picture", "render_themes"]

#: Both themes, of which a page shows the one that it has itself.
THEMES: Final[tuple[ThemeName, ...]] = ("light", "dark")


def render_picture(ax: Any) -> Markup:
    """Return the figure that axes are on as an image.

    Args:
        ax: Axes on a ``LatencyFigure``.
    """
    figure = ax.figure
    image = Markup(
        '<img style="display:block;width:100%%;max-width:%spx" alt="%s" '
        'src="data:image/png;base64,%s">'
    )
    picture = b64encode(figure._repr_png_()).decode()
    return image % (int(figure.bbox.width), figure.said, picture)


def render_themes(render: Callable[[ThemeName], Markup], themes: Sequence[ThemeName]) -> Markup:
    """Return what is rendered in a theme; of several, a page shows that of its own theme.

    Args:
        render: The function that renders it.
        themes: The themes, light first.
    """
    if len(themes) == 1:
        return render(themes[0])
    part = Markup('<div class="gfnb-on-%s">%s</div>')
    return Markup("").join(part % (theme, render(theme)) for theme in themes)
