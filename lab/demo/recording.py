"""The transcript as one SVG file that stands alone: no script, no font and no picture from elsewhere."""

import io
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from lab.demo.screen import WIDTH

THEME = TerminalTheme(
    background=(22, 27, 34),
    foreground=(208, 215, 222),
    normal=[
        (72, 79, 88),
        (255, 123, 114),
        (86, 211, 100),
        (227, 179, 65),
        (121, 192, 255),
        (210, 168, 255),
        (86, 212, 221),
        (177, 186, 196),
    ],
    bright=[
        (110, 118, 129),
        (255, 161, 152),
        (126, 231, 135),
        (242, 204, 96),
        (165, 214, 255),
        (226, 197, 255),
        (118, 227, 234),
        (255, 255, 255),
    ],
)
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
FORMAT = f"""\
<svg class="rich-terminal" viewBox="0 0 {{width}} {{height}}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>{{unique_id}}</title>
<style>
.{{unique_id}}-matrix {{{{ font-family: {FONTS}; font-size: {{char_height}}px; line-height: {{line_height}}px; }}}}
.{{unique_id}}-title {{{{ font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif; }}}}
{{styles}}
</style>
<defs>
<clipPath id="{{unique_id}}-clip-terminal">
<rect x="0" y="0" width="{{terminal_width}}" height="{{terminal_height}}" />
</clipPath>
{{lines}}
</defs>
{{chrome}}
<g transform="translate({{terminal_x}}, {{terminal_y}})" clip-path="url(#{{unique_id}}-clip-terminal)">
{{backgrounds}}
<g class="{{unique_id}}-matrix">
{{matrix}}
</g>
</g>
</svg>
"""

CELL_WIDTH = 12.2  # rich draws its cells so wide
_SPACE = "&#160;"
_INDENTED = re.compile(
    r'(?P<before><text [^>]*)x="(?P<x>[\d.]+)"(?P<between>[^>]*)textLength="(?P<length>[\d.]+)"(?P<after>[^>]*>)'
    rf"(?P<spaces>(?:{_SPACE})+)(?!<)"
)
_LINE_END = re.compile(r"<text [^>]*>\n</text>")


def make_recording_console() -> Console:
    """A console that shows nothing and remembers everything, whatever the environment says about colours."""
    return Console(
        file=io.StringIO(),
        record=True,
        width=WIDTH,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        highlight=False,
        _environ={},
    )


def to_svg(recording: Console) -> str:
    """What was recorded."""
    svg = recording.export_svg(title="modelarts-nodepool demo", theme=THEME, code_format=FORMAT, unique_id="demo")
    svg = _LINE_END.sub("", svg)
    svg = _INDENTED.sub(_shift, svg)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def _shift(found: re.Match[str]) -> str:
    """Indentation as a position: not every viewer draws a space at the beginning of a text."""
    spaces = len(found["spaces"]) // len(_SPACE)
    x, length = float(found["x"]) + spaces * CELL_WIDTH, float(found["length"]) - spaces * CELL_WIDTH
    return f'{found["before"]}x="{x:g}"{found["between"]}textLength="{length:g}"{found["after"]}'


def write_svg(recording: Console, file: Path) -> None:
    """Write it at once or not at all."""
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(to_svg(recording), encoding="utf-8")
    partial.replace(file)
