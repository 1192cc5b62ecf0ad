"""Android's classes as declarations in Java, from the type stubs of the package that carries them.

They are for the Kotlin compiler to check code against. The stubs do not tell interfaces from
classes without constructors, nor `int` from `long` where a number comes back: a class without
constructors becomes an interface, a number an `int`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_PRIMITIVES = ("boolean", "byte", "char", "double", "float", "int", "long", "short")
_RESULTS = {"bool": "boolean", "int": "int", "float": "float", "str": "String", "None": "void"}
_ARRAYS = {f"java.chaquopy.JavaArrayJ{name.capitalize()}": f"{name}[]" for name in _PRIMITIVES}
_OBJECT = "java.lang.Object"
_GENERIC = {"findViewById": ("<T extends android.view.View> ", "T")}
"""Methods of which the stubs leave out that they give what the caller expects."""
_OVERRIDES = ("charAt", "toString")
"""Methods that `java.lang` declares with other types than the stubs."""
_DEFAULTS = ("onPointerCaptureChanged",)
"""Methods that interfaces have a body for, which the stubs do not tell."""
_NULLABLE = "@org.jetbrains.annotations.Nullable "


class UnknownTypeError(Exception):
    """A type of a package that is not asked for: what uses it is left out."""


@dataclass
class Package:
    """The classes of one package."""

    name: str
    platform: dict[str, Package]
    """All packages, by name."""
    path: Path
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Classes, nested ones by `Outer.Inner`."""
        return dict(_classes(self.tree, ""))

    def named(self, name: str) -> str:
        """The full name of a class; `UnknownTypeError` for one that there is not."""
        if name in self.classes:
            return f"{self.name}.{name}"
        if name.startswith(("java.", "javax.")):
            return name
        for package in self.platform.values():
            if (
                name.startswith(f"{package.name}.")
                and name[len(package.name) + 1 :] in package.classes
            ):
                return name
        raise UnknownTypeError(name)

    def type(self, node: ast.expr, variables: frozenset[str] = frozenset()) -> str:
        """A type in Java; that of a parameter may be one of several in Python."""
        if isinstance(node, ast.BinOp):
            return self._union(
                [ast.unparse(part) for part in _parts(node)], _parts(node), variables
            )
        if isinstance(node, ast.Subscript):
            return self._subscript(node, variables)
        text = ast.unparse(node)
        if text in variables or text in _RESULTS:
            return _RESULTS.get(text, text)
        if text == "typing.Type":
            return "Class<?>"
        return _ARRAYS.get(text) or self.named(text)

    def _union(self, texts: list[str], nodes: list[ast.expr], variables: frozenset[str]) -> str:
        if _OBJECT in texts:
            return _OBJECT
        primitive = next((text[6:] for text in texts if text.startswith("java.j")), None)
        if primitive is not None and "." not in primitive:
            return primitive
        chosen = [node for node, text in zip(nodes, texts, strict=True) if text not in ("None",)]
        return self.type(chosen[0], variables)

    def _subscript(self, node: ast.Subscript, variables: frozenset[str]) -> str:
        outer = ast.unparse(node.value)
        if outer == "java.chaquopy.JavaArray":
            return f"{self.type(node.slice, variables)}[]"
        if outer == "typing.Type":
            inner = ast.unparse(node.slice)
            return f"Class<{inner}>" if inner in variables else "Class<?>"
        return self.named(outer)

    def is_interface(self, name: str) -> bool:
        """Whether a class has nothing but methods and interfaces, by its full name."""
        if name.startswith("java."):
            return name not in (_OBJECT, "java.lang.Exception", "java.lang.RuntimeException")
        package, short = _split(self.platform, name)
        node = package.classes[short]
        if any(isinstance(one, ast.FunctionDef) and one.name == "__init__" for one in node.body):
            return False
        return all(package.is_interface(base) for base in package.bases(node))

    def bases(self, node: ast.ClassDef) -> list[str]:
        """Full names of what a class extends, but for Object."""
        found: list[str] = []
        for base in node.bases:
            text = ast.unparse(base).partition("[")[0]
            try:
                found.append(self.named(text))
            except UnknownTypeError:
                continue
        return [name for name in found if name != _OBJECT]

    def source(self, name: str) -> str:
        """A file of Java with a class and those inside it."""
        return f"package {self.name};\n\n{self._class(name, '')}"

    def _class(self, name: str, modifier: str) -> str:
        node, full = self.classes[name], f"{self.name}.{name}"
        interface, bases = self.is_interface(full), self.bases(node)
        above = [base for base in bases if not self.is_interface(base)]
        below = [base for base in bases if base not in above]
        kind = "interface" if interface else "class"
        heads = [("extends" if interface else "implements", below)]
        heads = heads if interface else [("extends", above), *heads]
        head = " ".join(f"{word} {', '.join(names)}" for word, names in heads if names)
        lines = [f"public {modifier}{kind} {name.rpartition('.')[2]} {head} {{"]
        variables = frozenset(_variables(node))
        for member in node.body:
            if isinstance(member, ast.ClassDef):
                lines.append(self._class(f"{name}.{member.name}", "static "))
                continue
            try:
                lines.append(self._member(member, node.name, interface, variables))
            except UnknownTypeError:
                continue
        return "\n".join([*lines, "}"])

    def _member(self, node: ast.stmt, name: str, interface: bool, variables: frozenset[str]) -> str:
        if isinstance(node, ast.AnnAssign):
            return self._field(node, interface)
        if not isinstance(node, ast.FunctionDef) or node.name in _OVERRIDES:
            return ""
        return self._method(node, name, interface, variables)

    def _field(self, node: ast.AnnAssign, interface: bool) -> str:
        kind, fixed = node.annotation, ""
        if isinstance(kind, ast.Subscript) and ast.unparse(kind.value) == "typing.ClassVar":
            kind, fixed = kind.slice, "static "
        value = " = null" if interface else ""
        java = self.type(kind)
        value = " = 0" if interface and java in ("int", "float") else value
        return f"  public {fixed}{java} {ast.unparse(node.target)}{value};"

    def _method(
        self, node: ast.FunctionDef, name: str, interface: bool, variables: frozenset[str]
    ) -> str:
        fixed = any(ast.unparse(one) == "staticmethod" for one in node.decorator_list)
        given = [one for one in node.args.posonlyargs if one.arg != "self"]
        parameters: list[str] = []
        for number, one in enumerate(given):
            assert one.annotation is not None
            parameters.append(f"{self.type(one.annotation, variables)} a{number}")
        if node.args.vararg is not None and node.args.vararg.annotation is not None:
            parameters.append(f"{self.type(node.args.vararg.annotation, variables)}... more")
        joined = ", ".join(parameters)
        if node.name == "__init__":
            return f"  public {name}({joined}) {{}}"
        assert node.returns is not None
        nullable = "None" in [ast.unparse(part) for part in _parts(node.returns)][1:]
        result, used = (
            self.type(node.returns, variables),
            [one for one in variables if one in ast.unparse(node)],
        )
        generic = f"<{', '.join(sorted(used))}> " if used else ""
        generic, result = _GENERIC.get(node.name, (generic, result))
        if fixed:
            return f"  public static {generic}{result} {node.name}({joined}) {{ throw null; }}"
        head = f"  {_NULLABLE if nullable else ''}public "
        if interface and node.name in _DEFAULTS:
            return f"  default {result} {node.name}({joined}) {{}}"
        native = "" if interface else "native "
        return f"{head}{native}{generic}{result} {node.name}({joined});"


def write_sources(stubs: Path, names: list[str], directory: Path) -> None:
    """Write the classes of some packages as files of Java, below a directory."""
    platform: dict[str, Package] = {}
    for name in names:
        first, *rest = name.split(".")
        path = stubs.joinpath(f"{first}-stubs", *rest, "__init__.pyi")
        platform[name] = Package(name, platform, path)
    for package in platform.values():
        folder = directory.joinpath(*package.name.split("."))
        folder.mkdir(parents=True)
        for name in package.classes:
            if "." not in name:
                text = package.source(name)
                (folder / f"{name}.java").write_text(text, encoding="utf-8")


def _classes(node: ast.Module | ast.ClassDef, before: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for one in node.body:
        if isinstance(one, ast.ClassDef):
            yield f"{before}{one.name}", one
            yield from _classes(one, f"{before}{one.name}.")


def _parts(node: ast.expr) -> list[ast.expr]:
    """What stands between the bars of a union."""
    if isinstance(node, ast.BinOp):
        return [*_parts(node.left), node.right]
    return [node]


def _variables(node: ast.ClassDef) -> Iterator[str]:
    """Type variables of the methods of a class."""
    for one in node.body:
        if isinstance(one, ast.Assign) and "typing.TypeVar" in ast.unparse(one.value):
            yield ast.unparse(one.targets[0])


def _split(platform: dict[str, Package], name: str) -> tuple[Package, str]:
    for package in platform.values():
        short = name.removeprefix(f"{package.name}.")
        if short != name and short in package.classes:
            return package, short
    raise UnknownTypeError(name)
