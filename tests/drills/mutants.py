"""Mutants of a module: its source with one small thing changed, such as a condition negated or left out.

A table of cases that every mutant fails is one in which each condition of the code is tested.
"""

import ast
import copy
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

_NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Lt: ast.GtE, ast.GtE: ast.Lt,
}  # fmt: skip
_SHIFTED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt,
}  # fmt: skip
_CONTRARY = {"any": "all", "all": "any", "min": "max", "max": "min"}
_SPARED = frozenset({"lower", "strip", "removeprefix", "removesuffix"})
"""Methods that a mutant leaves out, so that what they are called on stays as it is."""


@dataclass(frozen=True)
class Mutant:
    where: str
    """The function, class or constant that it is in."""
    was: str
    now: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.where}: {self.was} -> {self.now}"

    def module(self, **replaced: object) -> ModuleType:
        """Load it; names of *replaced* stand for what the module itself imports."""
        made = ModuleType("mutant")
        exec(compile(ast.fix_missing_locations(self.tree), "<mutant>", "exec"), made.__dict__)
        made.__dict__.update(replaced)
        return made


def mutants(source: str, names: Collection[str]) -> Iterator[Mutant]:
    """Every mutant of the functions, classes and constants that have one of *names* at the module's top."""
    tree = ast.parse(source)
    for place, statement in enumerate(tree.body):
        name = _name(statement)
        if name not in names:
            continue
        for count, _node in enumerate(_nodes(statement)):
            for change in range(len(_changes(_nth(statement, count)))):
                made = copy.deepcopy(statement)
                node = _nth(made, count)
                was = _unparsed(node)
                _changes(node)[change]()
                yield Mutant(name, was, _unparsed(node), _with(tree, place, made))


def shortened(source: str, names: Collection[str]) -> Iterator[Mutant]:
    """Every mutant in which one letter is missing from a text in a constant, such as a regular expression."""
    tree = ast.parse(source)
    for place, statement in enumerate(tree.body):
        if (name := _name(statement)) not in names:
            continue
        for count, node in enumerate(_nodes(statement)):
            for letter in range(len(node.value) if _is_long(node) else 0):
                made = copy.deepcopy(statement)
                text: Any = _nth(made, count)
                was, text.value = repr(text.value), text.value[:letter] + text.value[letter + 1 :]
                yield Mutant(name, was, repr(text.value), _with(tree, place, made))


def _with(tree: ast.Module, place: int, statement: ast.stmt) -> ast.Module:
    return ast.Module([*tree.body[:place], statement, *tree.body[place + 1 :]], tree.type_ignores)


def _is_long(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _name(statement: ast.stmt) -> str:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return statement.name
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """Everything that is run: no annotations, decorators, docstrings."""
    for field, value in ast.iter_fields(statement):
        if field in {"annotation", "returns", "decorator_list", "ctx", "args"} and not isinstance(statement, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_text(child):
                yield child
                yield from _nodes(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _nth(statement: ast.AST, count: int) -> ast.AST:
    for number, node in enumerate(_nodes(statement)):
        if number == count:
            return node
    raise IndexError(count)


def _unparsed(node: ast.AST) -> str:
    try:
        return ast.unparse(node)
    except (AttributeError, ValueError):
        return "?"


Change = Callable[[], None]


def _changes(node: Any) -> list[Change]:
    """What can be done to *node*, in place."""
    return _OPERATORS[type(node)](node) if type(node) in _OPERATORS else []


def _conditions(node: Any) -> list[Change]:
    tests = (ast.UnaryOp(ast.Not(), node.test), ast.Constant(value=True), ast.Constant(value=False))
    return [_set(node, "test", test) for test in tests]


def _boolean(node: Any) -> list[Change]:
    other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    return [_set(node, "op", other), *_without_each(node, "values")]


def _comparison(node: Any) -> list[Change]:
    [op] = node.ops
    return [_set(node, "ops", [table[type(op)]()]) for table in (_NEGATED, _SHIFTED) if type(op) in table]


def _negation(node: Any) -> list[Change]:
    return [_become(node, node.operand)] if isinstance(node.op, ast.Not) else []


def _members(node: Any) -> list[Change]:
    read = not isinstance(getattr(node, "ctx", None), ast.Store)
    return _without_each(node, "elts") if read and len(node.elts) > 1 else []


def _constant(node: Any) -> list[Change]:
    match node.value:
        case bool(value):
            return [_set(node, "value", not value)]
        case int(value):
            return [_set(node, "value", value + 1)]
        case str(value) if value:
            return [_set(node, "value", f"{value}~")]
    return []


def _call(node: Any) -> list[Change]:
    match node.func:
        case ast.Name(id=name) if name in _CONTRARY:
            return [_set(node.func, "id", _CONTRARY[name])]
        case ast.Attribute(attr=name) if name in _SPARED:
            return [_become(node, node.func.value)]
    return []


_OPERATORS: dict[type[ast.AST], Callable[[Any], list[Change]]] = {
    ast.If: _conditions,
    ast.IfExp: _conditions,
    ast.BoolOp: _boolean,
    ast.Compare: _comparison,
    ast.UnaryOp: _negation,
    ast.BinOp: lambda node: [_become(node, node.left), _become(node, node.right)],
    ast.Set: _members,
    ast.Tuple: _members,
    ast.comprehension: lambda node: _without_each(node, "ifs"),
    ast.Constant: _constant,
    ast.Call: _call,
    ast.Continue: lambda node: [_become(node, ast.Break())],
    ast.Break: lambda node: [_become(node, ast.Continue())],
}


def _set(node: ast.AST, field: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, field, value)


def _without_each(node: ast.AST, field: str) -> list[Callable[[], None]]:
    held = getattr(node, field)
    rests = [[*held[:place], *held[place + 1 :]] for place in range(len(held))]
    if isinstance(node, ast.BoolOp) and len(held) == 2:
        return [_become(node, rest[0]) for rest in rests]
    return [_set(node, field, rest) for rest in rests]


def _become(node: ast.AST, other: ast.AST) -> Callable[[], None]:
    def change() -> None:
        node.__class__ = type(other)
        node.__dict__.clear()
        node.__dict__.update(other.__dict__)

    return change
