"""Foreign text, made fit for a log, a page and the database."""

_LONGEST = 200


def one_line(text: str, longest: int = _LONGEST) -> str:
    """The text as one line of printable characters, cut to `longest`.

    A lone surrogate, which UTF-8 can't express, becomes U+FFFD. Control characters and line breaks become blanks.
    """
    start = text[: 4 * longest]  # merging blanks makes it shorter
    valid = start.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    words = "".join(letter if letter.isprintable() else " " for letter in valid).split()
    return " ".join(words)[:longest]
