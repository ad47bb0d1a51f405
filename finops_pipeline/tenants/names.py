"""The syntax of names and AWS account ids.

Put here: rules for a single name or id. Keep out: the objects that have names (model.py,
source.py).
"""

from __future__ import annotations

import re

from finops_pipeline.errors import RegistryError

_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
_ACCOUNT = re.compile(r"[0-9]{12}")


def check_name(kind: str, name: str) -> str:
    """Return `name` if it is safe as a path segment and partition key.

    Args:
        kind: the word for it in a message: tenant, source, project.

    Raises:
        RegistryError: the name has the wrong syntax.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RegistryError(
            f"{kind} name {name!r} cannot be used",
            "2 to 40 characters from a-z, 0-9 and '-', starting with a letter and not ending"
            " with '-'",
            "Choose such a name; free text belongs in display_name",
        )
    return name


def check_account(value: object) -> str:
    """Return an AWS account id as text of 12 digits.

    YAML reads an unquoted 001122334455 as an octal number, so a number is accepted only if no digit
    can have been lost.

    Raises:
        RegistryError: not 12 digits.
    """
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _ACCOUNT.fullmatch(text):
        raise RegistryError(
            f"account id {value!r} is not an AWS account id",
            "12 digits in quotes",
            'Write it in quotes, for example "001122334455"',
        )
    return text
