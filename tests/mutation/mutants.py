"""The mutants of a C++ source: every change of one token or one statement that a test should notice."""

import collections
import dataclasses
import hashlib
import re

# What stands in for an operator. Every operator that clang-format sets spaces around is binary; `*` and `&` of a type
# have none before them.
_BINARY = {
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["*"],
    "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="], "%=": ["*="],
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
    "&&": ["||"], "||": ["&&"],
    "&": ["|"], "|": ["&"], "^": ["&"], "&=": ["|="], "|=": ["&="], "^=": ["&="],
    "<<": [">>"], ">>": ["<<"], "<<=": [">>="], ">>=": ["<<="],
}
_BINARY_TOKEN = re.compile(
    r"(?<=[\w)\]\s])\s(" + "|".join(re.escape(op) for op in sorted(_BINARY, key=len, reverse=True)) + r")(?=\s)")
_NUMBER = re.compile(r"(?<![\w.'])(0[xX][0-9a-fA-F']+|0[bB][01']+|[0-9][0-9']*)([uUlL]*)(?![\w.'])")
_STEP = re.compile(r"\+\+|--")
_UNARY = re.compile(r"(?<=[(\[{,;=&|?:!~\s])([!~-])(?=[\w(])")
_TRUTH = re.compile(r"\b(true|false)\b")
_ASSIGNMENT = re.compile(
    r"(?<=[;{}):\n])\s*((?:\*+\s*)?[A-Za-z_][\w.\[\]>()+*/% -]*?\s(?:[-+*/%&|^]|<<|>>)?=\s[^;{}]*;"
    r"|(?:\+\+|--)[\w.>*\[\]-]+;|[\w.>\[\]-]+(?:\+\+|--);)")
_CHECK = re.compile(r"(?<=[;{}):\n])\s*(if \()")


@dataclasses.dataclass(frozen=True)
class Mutant:
    path: str  # Relative to the repository.
    line: int  # From 1.
    column: int  # From 1.
    kind: str
    start: int  # What is replaced: text[start:end].
    end: int
    replacement: str
    was: str
    code: str  # The line, as it was.
    ordinal: int  # Among those of the file that are the same in all but the line's number.

    @property
    def name(self):
        """Stays the same as long as the line's text does, wherever the line moves."""
        text = "\0".join((self.path, self.code, str(self.column), self.was, self.replacement, str(self.ordinal)))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def describe(self):
        was = " ".join(self.was.split())
        what = f"delete `{was}`" if self.kind in ("statement", "check") else f"`{was}` -> `{self.replacement}`"
        return f"{self.path}:{self.line}:{self.column}: {what} in `{self.code.strip()}`"

    def apply(self, text):
        return text[: self.start] + self.replacement + text[self.end:]


def _closing(code, open_at):
    """Past the parenthesis that closes the one at `open_at`."""
    depth = 0
    for at in range(open_at, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return at + 1
    return len(code)


def mask(text):
    """`text` with everything that is not to be mutated blanked out, each character in its place: comments, literals of
    text, preprocessor lines, attributes, static_asserts, what stands in the brackets of casts and templates, and what
    the compiler is only told to expect."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    quoted = r'"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\''
    text = re.sub(r"//[^\n]*|/\*.*?\*/|" + quoted, blank, text, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)
    text = re.sub(r"\[\[.*?\]\]", blank, text, flags=re.S)
    text = re.sub(r"\bstatic_assert\s*\(.*?\)\s*;", blank, text, flags=re.S)
    text = re.sub(r"\b(?:template|static_cast|reinterpret_cast|const_cast)\s*<[^<>]*>", blank, text)
    for match in re.finditer(r"\b__builtin_(?:expect|assume_aligned)(?=\()", text):
        end = _closing(text, match.end())
        hint = text.rfind(",", match.end(), end)
        text = text[:hint] + " " * (end - hint) + text[end:]
    return re.sub(r"\b(?:alignas|operator)\s*(?:\([^()]*\)|[^\s\w]+)", blank, text)


def _numbers(match):
    digits, suffix = match.groups()
    plain = digits.replace("'", "")
    if len(plain) > 1 and plain[0] == "0" and plain.isdigit():
        return
    value = int(plain, 0)
    if value >= 2**64:
        return
    write = (lambda n: f"0x{n:X}{suffix}") if plain[:2].lower() == "0x" else (lambda n: f"{n}{suffix}")
    yield write((value + 1) % 2**64)
    if value > 0:
        yield write(value - 1)


def _check(code, start):
    """The end of `if (…) return …;`, braces or not, at `start`; None if the statement is another one."""
    after = _closing(code, start + len("if "))
    match = re.compile(r"\s*(?:return\b[^;{}]*;|\{\s*return\b[^;]*;\s*\})(?!\s*else\b)").match(code, after)
    return match.end() if match else None


def _is_statement(code, match):
    """Whether an assignment found is a whole statement: not a declaration, not a part of a for statement's head."""
    target = re.split(r"\s(?:[-+*/%&|^]|<<|>>)?=\s", match.group(1))[0]
    if target.count("(") != target.count(")") or match.group(1).count("(") != match.group(1).count(")"):
        return False
    return re.search(r"[\w>*&\]]\s+[\w*&]", re.sub(r"\(.*\)|\[.*?\]", "", target)) is None


def find(path, text):
    """The mutants of a source, in its order."""
    code = mask(text)
    found = []
    seen = collections.Counter()

    def add(kind, start, end, replacement):
        line_start = text.rfind("\n", 0, start) + 1
        line_end = text.find("\n", start)
        line = text[line_start: len(text) if line_end < 0 else line_end]
        column = start - line_start + 1
        same = (line, column, text[start:end], replacement)
        seen[same] += 1
        found.append(Mutant(path, text.count("\n", 0, start) + 1, column, kind, start, end, replacement, text[start:end],
                            line, seen[same]))

    for match in _BINARY_TOKEN.finditer(code):
        for other in _BINARY[match.group(1)]:
            add("operator", match.start(1), match.end(1), other)
    for match in _NUMBER.finditer(code):
        for other in _numbers(match):
            add("constant", match.start(), match.end(), other)
    for match in _STEP.finditer(code):
        add("operator", match.start(), match.end(), "--" if match.group(0) == "++" else "++")
    for match in _UNARY.finditer(code):
        if match.group(1) == "-" and code[match.end(): match.end() + 1] == "-":
            continue
        add("unary", match.start(1), match.end(1), "")
    for match in _TRUTH.finditer(code):
        add("constant", match.start(), match.end(), "false" if match.group(0) == "true" else "true")
    for match in _ASSIGNMENT.finditer(code):
        if _is_statement(code, match):
            add("statement", match.start(1), match.end(1), ";")
    for match in _CHECK.finditer(code):
        end = _check(code, match.start(1))
        if end is not None:
            add("check", match.start(1), end, ";")
    return sorted(found, key=lambda m: (m.start, m.end, m.replacement))
