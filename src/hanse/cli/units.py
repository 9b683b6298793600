"""Numbers as people read them."""


def bytes_text(size_bytes: float | None) -> str:
    """Return a size with a decimal unit: `812 B`, `4.2 kB`, `1.3 GB`."""
    if size_bytes is None:
        return "–"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= 0.9995 * scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes:.0f} B"


def seconds_text(seconds: float | None) -> str:
    """Return a duration: `0.8 s`, `14 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def number_text(value: float) -> str:
    """Return a figure: counts whole (`4,930`, `1`), all else with four decimals (`0.8124`)."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value == round(value) and abs(value) > 1 else f"{value:.4f}"
