"""Reads tables and blocks of code from Markdown documents."""


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the first Markdown table after a heading, each cell as text."""
    lines = text[text.index(heading) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def block(text: str, language: str) -> str:
    """The first block of code in a language."""
    return text.partition(f"```{language}\n")[2].partition("```")[0]
