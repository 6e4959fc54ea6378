"""The rules, a module for each subject.

Every module in this folder is imported here, which registers its rules.
"""

from importlib import import_module
from pkgutil import walk_packages

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
