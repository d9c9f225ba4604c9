"""What `import` statements bring, and whether they succeed."""

from __future__ import annotations

import ast
import sys

from cogn.resolver.signature.errors import PredictorError
from cogn.resolver.signature.evaluate import Evaluator
from cogn.resolver.signature.modules import Module
from cogn.resolver.signature.outside import IMPORTABLE, outside
from cogn.resolver.signature.values import Frame, Imported, shown

__all__ = ["Importer"]


class Importer(Evaluator):
    """Gives names to what is imported; other modules of the project are read when needed."""

    def import_module(self, alias: ast.alias, frame: Frame) -> None:
        """Do what `import a.b as c` does."""
        name = alias.name if alias.asname else alias.name.partition(".")[0]
        module = self.modules.find(name)
        frame.names[alias.asname or name] = outside(name) if module is None else module

    def import_names(self, node: ast.ImportFrom, frame: Frame) -> None:
        """Do what `from a import b as c` does.

        Raises PredictorError for a relative import that there is no package for.
        """
        name = _absolute(frame.module, node)
        if name == "__future__":
            return
        module = self.modules.find(name)
        for alias in node.names:
            if alias.name == "*":
                self._import_all(name, module, frame)
            elif module is not None and module is not frame.module:
                frame.names[alias.asname or alias.name] = Imported(module, alias.name)
            else:
                # A package asks itself for its modules; one without `__init__.py` has nothing else.
                submodule = self.modules.find(f"{name}.{alias.name}")
                frame.names[alias.asname or alias.name] = submodule or outside(
                    f"{name}.{alias.name}"
                )

    def _import_all(self, name: str, module: Module | None, frame: Frame) -> None:
        if module is None:
            for each in sorted(IMPORTABLE.get(name, ())):
                frame.names[each] = outside(f"{name}.{each}")
            if name not in IMPORTABLE:
                frame.module.frame.stars.append(name)
            return
        self.run_module(module)
        names = module.frame.names
        public = names.get("__all__", [each for each in names if not each.startswith("_")])
        for each in self.items(public):
            if each in names:
                frame.names[each] = names[each]
        stars = frame.module.frame.stars
        stars += [each for each in module.frame.stars if each not in stars]

    def succeeds(self, body: list[ast.stmt], frame: Frame) -> bool | None:
        """Tell whether the statements succeed, when they are imports of which that is known."""
        for statement in body:
            match statement:
                case ast.ImportFrom(level=level) if level:
                    if not _has_package(frame.module, level):
                        return False
                case ast.ImportFrom(str() as module, names, 0) if module in IMPORTABLE:
                    if not all(each.name in IMPORTABLE[module] for each in names):
                        return False
                case ast.ImportFrom(str() as module, _, 0) if self._is_there(module):
                    pass
                case ast.Import(names) if all(self._is_there(each.name) for each in names):
                    pass
                case ast.Assign(_, ast.Constant()) | ast.Pass():
                    pass
                case _:
                    return None
        return True

    def _is_there(self, module: str) -> bool:
        if module in IMPORTABLE or module.partition(".")[0] in sys.stdlib_module_names:
            return True
        return self.modules.find(module) is not None


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    """Return the full name of the module that names are imported from."""
    name = node.module or ""
    if not node.level:
        return name
    if not _has_package(module, node.level):
        raise PredictorError(
            f"`{shown(node)}` fails: `{module.file}` is in no package that it could start from",
            where=module.where(node),
            hint=f"write `from {name or 'module'} import ...`, seen from the project's directory",
        )
    base = module.package.split(".")
    return ".".join([*base[: len(base) - node.level + 1], *([name] if name else [])])


def _has_package(module: Module, level: int) -> bool:
    """Tell whether relative imports can go up so many levels."""
    return bool(module.package) and module.package.count(".") + 1 >= level
