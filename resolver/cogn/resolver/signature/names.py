"""What names and attributes stand for in a program that is read and not run."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod

from cogn.resolver.signature.modules import Module, Modules
from cogn.resolver.signature.operations import Refusal
from cogn.resolver.signature.outside import FREE_OF_NAMES, integer_limits, outside
from cogn.resolver.signature.values import (
    Call,
    ClassValue,
    EnumMember,
    External,
    Frame,
    FunctionValue,
    Imported,
    MethodOf,
    Subscripted,
    UnionOf,
)

__all__ = ["Names"]

_MOST_IMPORTS = 100


class Names(ABC):
    """Looks up names, following imports into the other modules of the project."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules

    @abstractmethod
    def run_module(self, module: Module) -> None:
        """Go through the statements of a module, unless that was done or is being done."""

    def resolve(self, value: object) -> object:
        """Return what an import brought, looking into the other module now."""
        seen: list[Imported] = []
        while isinstance(value, Imported):
            if any(each is value for each in seen) or len(seen) > _MOST_IMPORTS:
                raise Refusal("modules import it from each other in a circle")
            seen.append(value)
            value = self._member(value.module, value.name)
        return value

    def _member(self, module: Module, name: str) -> object:
        """Return an attribute of a module, which may be another import."""
        self.run_module(module)
        if name in module.frame.names:
            return module.frame.names[name]
        submodule = self.modules.find(f"{module.name}.{name}")
        if submodule is not None:
            return submodule
        if module.frame.stars:
            return outside(f"{module.frame.stars[-1]}.{name}")
        raise Refusal(f"`{module.file}` defines no `{name}`")

    def lookup(self, name: str, frame: Frame) -> object:
        """Return what a name stands for in a frame; raises Refusal when nothing defines it."""
        holder = frame.holder(name)
        if holder is not None:
            return self.resolve(holder.names[name])
        stars = frame.module.frame.stars
        if stars and not hasattr(builtins, name):
            return outside(f"{stars[-1]}.{name}")
        if hasattr(builtins, name):
            return External(f"builtins.{name}")
        raise Refusal("nothing defines it")

    def attribute(self, owner: object, name: str) -> object:
        """Return an attribute of a value; raises Refusal when it is not known."""
        match owner:
            case Module():
                return self.resolve(self._member(owner, name))
            case External(path):
                # A package without `__init__.py` is found by its modules alone.
                found = self.modules.find(f"{path}.{name}")
                return outside(f"{path}.{name}") if found is None else found
            case ClassValue():
                return self.class_attribute(owner, name)
            case EnumMember(value=value) if name in ("name", "value", "_value_"):
                return owner.name if name == "name" else value
            case Call("numpy.iinfo", (External(path),)):
                return integer_limits(path, name)
            case Call() | FunctionValue() | EnumMember() | Subscripted() | UnionOf():
                raise Refusal(f"its `{name}` is not followed")
        return MethodOf(owner, name)

    def class_attribute(self, cls: ClassValue, name: str) -> object:
        """Return what a class or the nearest of its ancestors has under a name."""
        if cls.members is not None and name in cls.members:
            return cls.members[name]
        for each in cls.mro():
            if isinstance(each, ClassValue):
                if name in each.frame.names:
                    return self.resolve(each.frame.names[name])
            elif each.path not in FREE_OF_NAMES:
                raise Refusal(f"`{cls.name}` may have it from `{each}`, outside the project")
        if name == "__members__" and cls.members is not None:
            return dict(cls.members)
        if name in ("__name__", "__qualname__"):
            return cls.name
        raise Refusal(f"`{cls.name}` has no `{name}`")
