"""The packages that we depend on: their licences, whether they live, and faults that are known.

By what is installed and by ``dependencies.toml``, so that no network is needed.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
KNOWN = tomllib.loads(Path(__file__).with_name("dependencies.toml").read_text())
PINNED = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)
#: What only our own tests and benchmarks use, and no user installs.
OURS = ("test", "dev", "benchmark")

PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|PSF|Python Software Foundation|ISC|Zlib|CC0|0BSD|Unlicense|Public Domain)"
)
#: Of what others depend on: licences that ask for the source of changed files of theirs alone.
WEAK = re.compile(r"\b(MPL|Mozilla|HPND|CMU)")


def licence_of(name: str) -> str:
    """Return what a package says of its licence."""
    if name in KNOWN["licences"]:
        return str(KNOWN["licences"][name])
    metadata = distribution(name).metadata
    classifiers = metadata.get_all("Classifier") or []
    found = [c.rpartition("::")[2] for c in classifiers if c.startswith("License ::")]
    return " ".join([metadata.get("License-Expression", ""), metadata.get("License", ""), *found])


def direct(*extras: str) -> set[str]:
    """Return the packages that we name ourselves, of the core and of some extras."""
    texts = [*PROJECT["dependencies"]]
    for extra in extras:
        texts += PROJECT["optional-dependencies"][extra]
    names = {canonicalize_name(Requirement(text).name) for text in texts}
    return names - {"graphflow-nb"}


def installed_with(names: set[str]) -> set[str]:
    """Return packages with all that is installed because of them."""
    found: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        found.add(name)
        try:
            wanted = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        for requirement in map(Requirement, wanted):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                left.add(canonicalize_name(requirement.name))
        left -= found
    return found


USERS = [extra for extra in PROJECT["optional-dependencies"] if extra not in OURS]


@pytest.mark.parametrize("name", sorted(direct(*USERS)))
def test_what_a_user_installs_is_free_to_use(name):
    assert PERMISSIVE.search(licence_of(name)), licence_of(name)


def test_what_comes_with_it_is_free_to_use_too():
    odd = {}
    for name in sorted(installed_with(direct(*USERS))):
        try:
            licence = licence_of(name)
        except PackageNotFoundError:  # of another system
            continue
        if not (PERMISSIVE.search(licence) or WEAK.search(licence)):
            odd[name] = licence[:80]
    assert odd == {}


def test_none_is_abandoned_unless_it_is_said_why():
    given_up = {
        name
        for name in direct(*USERS)
        if "Development Status :: 7 - Inactive"
        in (distribution(name).metadata.get_all("Classifier") or [])
    }
    assert given_up <= set(KNOWN["abandoned"])
    # What is said of a package that is no longer ours would be read as true.
    assert set(KNOWN["abandoned"]) <= direct(*USERS)
    assert all(len(reason) > 40 for reason in KNOWN["abandoned"].values())


@pytest.mark.parametrize("fault", KNOWN["faults"], ids=lambda fault: fault["id"])
def test_no_version_that_was_tested_has_a_known_fault(fault):
    package = fault["package"]
    assert package in {canonicalize_name(name) for name in PINNED}, "no longer a dependency"
    pinned = {canonicalize_name(name): version for name, version in PINNED.items()}
    assert Version(pinned[package]) >= Version(fault["fixed"]), fault["id"]


def test_each_package_that_we_name_is_pinned():
    pinned = {canonicalize_name(name) for name in PINNED}
    assert direct(*PROJECT["optional-dependencies"]) - pinned == set()
