"""The drawing kit: style, sheets, HTML, figure files."""
