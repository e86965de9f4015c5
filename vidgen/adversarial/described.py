"""Objects that remember how they were built, and the guarded way back from such a description.

A checkpoint is a stranger's file: its description may name only what `vidgen` and `voxel` export,
or what the user has allowed by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from vidgen.errors import UserError

_TRUSTED_PACKAGES = ("vidgen", "voxel")
_WRONG_ARGUMENTS = (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError, MemoryError)


class Described:
    """Remembers the arguments of its constructor, defaults included, as `arguments`."""

    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Described:
        """Binds the arguments before `__init__` sees them."""
        instance = super().__new__(cls)
        # Partial, because deepcopy and pickle call __new__ without any argument.
        bound = inspect.signature(cls.__init__).bind_partial(instance, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        for name, parameter in bound.signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:  # a subclass that passes options on
                arguments |= arguments.pop(name)
        object.__setattr__(instance, "arguments", arguments)
        return instance

    def describe(self) -> dict[str, Any]:
        """The object as plain JSON types: `{"class_path": ..., "init_args": {...}}`."""
        plain = {name: _plain(value) for name, value in self.arguments.items()}
        return {"class_path": _public_path(type(self)), "init_args": plain}


def build(description: Any, allow: Collection[str] = ()) -> Any:
    """The object that a description names.

    Args:
        description: What `Described.describe` gave, perhaps read from a stranger's file.
        allow: Further import paths that the user trusts.

    Raises:
        UserError: The description is not one, or names a class that is not allowed.
    """
    path = arguments = None
    if isinstance(description, Mapping):
        path, arguments = description.get("class_path"), description.get("init_args", {})
    if not isinstance(path, str) or not isinstance(arguments, Mapping):
        raise UserError(f"not the description of an object: {str(description)[:80]!r}")
    kind = _allowed_class(path, allow)
    try:
        return kind(**{str(name): _built(value, allow) for name, value in arguments.items()})
    except _WRONG_ARGUMENTS as error:
        raise UserError(f"{path} cannot be built from its description: {error}") from error


def _allowed_class(path: str, allow: Collection[str]) -> Any:
    package, _, name = path.rpartition(".")
    trusted = package in _TRUSTED_PACKAGES and name in getattr(
        import_module(package), "__all__", ()
    )
    if not trusted and path not in allow:
        raise UserError(
            f"the checkpoint asks for {path!r}, which is not among the classes of vidgen and "
            f"voxel; if you trust the file, allow it with --allow {path}"
        )
    try:
        return getattr(import_module(package), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"there is no class {path!r}: {error}") from error


def _built(value: Any, allow: Collection[str]) -> Any:
    if isinstance(value, Mapping) and "class_path" in value:
        return build(value, allow)
    if isinstance(value, Mapping):
        return {key: _built(item, allow) for key, item in value.items()}
    if isinstance(value, list):  # JSON has no tuples, arguments have nothing else
        return tuple(_built(item, allow) for item in value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Described):
        return value.describe()
    if is_dataclass(value) and not isinstance(value, type):
        arguments = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"class_path": _public_path(type(value)), "init_args": arguments}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} {value!r} cannot be written into a checkpoint")


def _public_path(kind: type) -> str:
    package = kind.__module__.partition(".")[0]
    if package in _TRUSTED_PACKAGES and kind.__name__ in getattr(
        import_module(package), "__all__", ()
    ):
        return f"{package}.{kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"
