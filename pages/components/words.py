"""Text that comes from a file or a card, made safe for Streamlit's Markdown."""

import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$])")


def plain(text: str) -> str:
    """The text with every Markdown sign escaped, so that a file's name can neither format, link nor embed anything."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def shortened(text: str, length: int) -> str:
    """The text cut in its middle to ``length`` characters: the ends of file names tell them apart."""
    if len(text) <= length:
        return text
    end = (length - 1) // 2
    return f"{text[: length - 1 - end]}…{text[-end:]}"
