"""The drawing kit: style, canvases, HTML, figure files."""
