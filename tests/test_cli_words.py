"""What the commands say is of use to somebody who has only the command line."""

import ast
from pathlib import Path

import pytest

import skbird
from skbird.cli._advice import ADVICE


def messages():
    """Yield the texts of skbird's code outside the commands, values as x."""
    root = Path(skbird.__file__).parent
    for path in root.rglob("*.py"):
        if path.parent.name == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts = (getattr(part, "value", "x") for part in node.values)
                yield "".join(t if isinstance(t, str) else "x" for t in texts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.fixture(scope="module")
def all_messages():
    return "\n".join(messages())


@pytest.mark.parametrize("advice", ADVICE)
def test_what_is_said_otherwise_in_commands_is_said_somewhere(all_messages, advice):
    assert advice in all_messages
