"""What `antinode` exports: this and nothing else, each with a docstring."""

import ast
import inspect
import pickle
import types
import typing
from importlib import import_module
from pathlib import Path

import pytest

import antinode

PACKAGE = Path(antinode.__file__).parent


def public(module):
    return {name for name in dir(module) if not name.startswith("_")}


def test_all_is_everything_public():
    """Every public name is listed, and every listed name exists; submodules aside."""
    modules = {name for name, value in vars(antinode).items() if isinstance(value, types.ModuleType)}
    assert public(antinode) - modules == set(antinode.__all__) - {"__version__"}
    assert sorted(set(antinode.__all__)) == sorted(antinode.__all__)


def test_public_modules_are_themes():
    """Beside the package itself only these can be imported without an underscore."""
    names = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {name for name in names if not name.startswith("_")} == {
        "amplitude",
        "cli",
        "integrations",
        "middleware",
        "outbox",
        "plan",
        "relay",
        "server",
        "testing",
    }


@pytest.mark.parametrize(
    "package", ["antinode", "antinode.middleware", "antinode.plan", "antinode.server", "antinode.testing"]
)
def test_no_module_has_the_name_of_an_export(package: str) -> None:
    """Whichever module is imported first, a public name stands for what is exported, not for a module."""
    module = import_module(package)
    modules = {path.stem for folder in module.__path__ for path in Path(folder).iterdir()}
    exported_modules = {"faults"} if package == "antinode.testing" else set()
    assert modules & set(module.__all__) == exported_modules


# Not for applications: delivery counts the attempts of its outcomes with it.
INTERNAL = {"after"}


def members(kind):
    """The public methods and properties that a class defines itself."""
    for name, value in vars(kind).items():
        if (
            not name.startswith("_")
            and name not in INTERNAL
            and (inspect.isfunction(value) or isinstance(value, property))
        ):
            yield name, value


def test_what_is_exported_says_so():
    """Every exported class and function has a docstring, and so have its public methods and properties."""
    for name in antinode.__all__:
        value = getattr(antinode, name)
        if hasattr(value, "__origin__"):
            continue  # an alias, which Python 3.10 takes for a class
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name
        # What a protocol's methods do is said in one piece, in its own docstring.
        if inspect.isclass(value) and not getattr(value, "_is_protocol", False):
            assert [member for member, inner in members(value) if not inner.__doc__] == [], name


def test_the_init_module_holds_only_imports():
    """`antinode/__init__.py` is a docstring, imports for type checkers, the same for use, and `__all__`."""
    docstring, version, _, choice, names = ast.parse((PACKAGE / "__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(version, ast.ImportFrom)
    assert isinstance(choice, ast.If)
    assert all(isinstance(node, ast.ImportFrom) for node in choice.body)
    assert isinstance(names, ast.Assign)


@pytest.mark.parametrize("package", ["antinode", "antinode.plan", "antinode.server"])
def test_what_type_checkers_see_is_what_is_there(package):
    """A name comes from the module that the imports for type checkers name, and no other name is given."""
    module = import_module(package)
    tree = ast.parse(Path(module.__file__).read_text())
    choice = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in choice.body for alias in node.names}
    assert set(seen) | {"__version__"} == set(module.__all__) | {"__version__"}
    for name, origin in seen.items():
        assert getattr(module, name) is getattr(import_module(origin), name)


def test_a_name_that_is_not_there():
    """It is an AttributeError as of any module, and an ImportError where it is imported."""
    with pytest.raises(AttributeError, match="module 'antinode' has no attribute 'Cleint'"):
        antinode.Cleint  # noqa: B018 - it is to raise
    with pytest.raises(ImportError, match="Cleint"):
        from antinode import Cleint  # noqa: F401


def test_the_package_is_typed():
    """Type checkers are told that it is."""
    assert (PACKAGE / "py.typed").exists()


def test_exceptions_form_a_tree():
    """Who catches AntinodeError catches all of ours; they are about values, so they are ValueErrors, too."""
    for kind in (antinode.ConfigurationError, antinode.EventError, antinode.MiddlewareError):
        assert issubclass(kind, antinode.AntinodeError)
        assert issubclass(kind, ValueError)
    assert issubclass(antinode.MiddlewareError, antinode.EventError)
    assert not issubclass(antinode.ConfigurationError, antinode.EventError)


PUBLIC_CLASSES = {
    name: kind for name in antinode.__all__ if isinstance(kind := getattr(antinode, name), type)
}


@pytest.mark.parametrize("name", sorted(PUBLIC_CLASSES))
def test_classes_go_by_their_public_name(name: str) -> None:
    """A traceback, a repr and a pickle say `antinode.X`, and annotations can be looked up all the same."""
    kind = PUBLIC_CLASSES[name]
    assert (kind.__module__, kind.__qualname__) == ("antinode", name)
    assert pickle.loads(pickle.dumps(kind)) is kind  # noqa: S301 - our own
    assert set(typing.get_type_hints(kind)) >= set(kind.__annotations__)
