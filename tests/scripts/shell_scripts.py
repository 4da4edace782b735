"""The project's shell scripts, and what must not stand in them.

Under pipefail a pipeline fails if any of its commands does, and one that writes to a reader that has left is killed by
SIGPIPE: now and then, as the scheduler likes. So every reader of a pipeline must read to its end.
"""

import json
import os
import pathlib
import re
import subprocess

# These read all of their input, whatever their arguments.
READ_ALL = {"cat", "cut", "dd", "fold", "od", "paste", "sha256sum", "sort", "tac", "tail", "tee", "tr", "uniq", "wc", "xargs"}


def find(root):
    """Paths of all shell scripts below `root`, by name or first line; nothing of build folders."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in (".git", "__pycache__")
                      and not name.startswith("build") and not (pathlib.Path(folder) / name / "CMakeCache.txt").exists()]
        for name in files:
            path = pathlib.Path(folder) / name
            if path.is_symlink() or not path.is_file():
                continue
            with open(path, "rb") as file:
                first = file.readline(200)
            if path.suffix in (".sh", ".bash") or re.match(rb"#!.*\b(ba|da|k)?sh\b", first):
                found.append(path)
    return sorted(found)


def _words(command):
    """The literal words of a simple command; what is not literal is left out of them."""
    def text(node):
        if isinstance(node, list):
            return "".join(text(part) for part in node)
        if not isinstance(node, dict):
            return ""
        if "Parts" in node:
            return text(node["Parts"])
        return node.get("Value", "") if isinstance(node.get("Value", ""), str) else ""
    return [text(word) for word in command.get("Args") or []]


def _reads_all(command):
    """Whether this command, as the syntax tree has it, is known to read to its end."""
    if command.get("Type") != "CallExpr":
        return False
    words = _words(command)
    if not words:
        return False
    name, arguments = os.path.basename(words[0]), words[1:]
    options = [word for word in arguments if word.startswith("-")]
    if name == "grep":
        return not any(re.match(r"-[A-Za-z]*[qmlL]|--(quiet|silent|max-count|files)", option) for option in options)
    if name == "sed":
        return not any(re.search(r"(^|[;{}\s$/0-9])[qQ]\s*[0-9]*\s*($|[;}\s])", word) for word in arguments)
    if name == "awk":
        # What END does comes after the last line.
        return not any(re.search(r"\bexit\b", re.sub(r"(?s)\bEND\s*\{.*", "", word)) for word in arguments)
    return name in READ_ALL


def early_readers(text, name="script"):
    """(line, command) of each reader of a pipeline in the shell script `text` that may leave before its input ends."""
    run = subprocess.run(["shfmt", "-ln", "bash", "--to-json"], input=text.encode(), capture_output=True, check=False)
    if run.returncode != 0:
        raise ValueError(f"{name}: {run.stderr.decode().strip()}")
    source = text.encode()
    # Functions of the script are looked into: each of their pipelines begins with what is piped into them.
    functions = {}
    found = []

    def visit(node, look):
        if isinstance(node, dict):
            look(node)
            for value in node.values():
                visit(value, look)
        elif isinstance(node, list):
            for value in node:
                visit(value, look)

    def remember(node):
        if node.get("Type") == "FuncDecl":
            functions[node["Name"]["Value"]] = node["Body"]["Cmd"]

    def first_of(command):
        """The command that reads what comes into a function of one pipeline."""
        for _ in range(100):
            if command.get("Type") == "CallExpr" and _words(command)[:1] and _words(command)[0] in functions:
                command = functions[_words(command)[0]]
            elif command.get("Type") == "Block" and len(command["Stmts"]) == 1:
                command = command["Stmts"][0]["Cmd"]
            elif command.get("Type") == "BinaryCmd":
                command = command["X"]["Cmd"]
            else:
                break
        return command

    def check(node):
        if node.get("Type") != "BinaryCmd":
            return
        at = node["OpPos"]["Offset"]
        if source[at:at + 1] != b"|" or source[at:at + 2] == b"||":
            return
        reader = node["Y"]
        if not _reads_all(first_of(reader["Cmd"])):
            found.append((reader["Pos"]["Line"],
                          source[reader["Pos"]["Offset"]:reader["End"]["Offset"]].decode().split("\n")[0]))

    tree = json.loads(run.stdout)
    visit(tree, remember)
    visit(tree, check)
    return found
