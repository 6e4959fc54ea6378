"""The magic %gf and its completion, in a shell as a kernel has it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter, rectify_completions
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import graphflow_nb as g
from graphflow_nb.notebook.latency import Latency
from graphflow_nb.notebook.magics import gf as magics

from ...scope import one_in


@pytest.fixture
def ip(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell.instance(config=config)
    magics.load_ipython_extension(shell)
    yield shell
    magics.unload_ipython_extension(shell)
    InteractiveShell.clear_instance()


def gf(ip, line=""):
    return ip.run_line_magic("gf", line)


def complete(ip, text, position=None):
    """What the line becomes with each completion, asked for as ipykernel does it."""
    position = len(text) if position is None else position
    with provisionalcompleter():
        found = list(ip.Completer.completions(text, position))
        found = list(rectify_completions(text, found))
    line_start = text.rfind("\n", 0, position) + 1
    line = text[line_start:].partition("\n")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        symbol, matches = ip.complete("", line, position - line_start)  # the older way
    lines = [text[: c.start] + c.text + text[c.end :] for c in found]
    start = position - len(symbol)
    assert lines == [text[:start] + match + text[position:] for match in matches]
    return lines


# Commands


def test_open_takes_what_is_masked(ip):
    def shown(line):
        wb = gf(ip, f"open memory: {line}")
        return repr(dict(wb.mask.hide_object({"iban": "i1", "cookie": "c1", "token": "t1"})))

    assert ("i1" in shown(""), "c1" in shown("")) == (True, False)
    chosen = shown("--mask iban --mask cookie=off --mask 'customer no'")
    assert ("i1" in chosen, "c1" in chosen, "t1" in chosen) == (False, True, False)
    assert "t1" in shown("--mask off")
    for line in ("--mask off --mask iban", "--mask iban=maybe", "--mask"):
        with pytest.raises(g.QueryError):
            gf(ip, f"open memory: {line}")


def test_open_shows_the_workbench_and_keeps_it(ip):
    wb = gf(ip, "open demo")
    assert isinstance(wb, g.Workbench)
    assert ip.user_ns["wb"] is wb
    other = gf(ip, "open memory: --as other --writable")
    assert ip.user_ns["other"] is other
    assert ip.user_ns["wb"] is wb
    assert len(gf(ip, "sessions")) == 0  # of the newest
    assert wb.get("claim-0014").id == "claim-0014"  # still open


def test_open_takes_what_graphflow_nb_open_takes(ip, monkeypatch, tmp_path):
    asked = []
    wb = g.open("memory:")
    monkeypatch.setattr(
        "graphflow_nb.notebook.magics.gf.open_workbench",
        lambda url, **options: asked.append((url, options)) or wb,
    )
    assert gf(ip, "open") is wb
    gf(ip, "open postgresql://h/d --writable --table flows.sessions")
    gf(ip, r"open sqlite:C:\data\s.db")
    ip.user_ns["place"] = "sqlite:'a b'.db"
    gf(ip, 'open "$place"')
    gf(ip, "open {'sqlite' + ':x'}")
    assert asked == [
        (None, {}),
        ("postgresql://h/d", {"writable": True, "table": "flows.sessions"}),
        (r"sqlite:C:\data\s.db", {}),
        ("sqlite:'a b'.db", {}),
        ("sqlite:x", {}),
    ]


def test_the_users_own_workbench_is_used(ip):
    with pytest.raises(g.QueryError, match="type %gf open"):
        gf(ip, "summary")
    ip.user_ns["wb"] = "no workbench"
    with pytest.raises(g.QueryError, match="type %gf open"):
        gf(ip, "sessions")
    ip.user_ns["wb"] = g.open("demo")
    assert gf(ip, "show claim-0014").id == "claim-0014"


def test_sessions(ip, capsys):
    wb = gf(ip, "open demo")
    assert len(gf(ip, "sessions")) == 50
    assert "more" in capsys.readouterr().out
    frame = gf(
        ip,
        "sessions --graph claims --task await_documents --id-prefix claim- --order -id --limit 7 "
        "--context customer.tier amount --context policy_number",
    )
    pd.testing.assert_frame_equal(
        frame,
        wb.sessions(
            graph="claims",
            task="await_documents",
            id_prefix="claim-",
            order="-id",
            limit=7,
            context=["customer.tier", "amount", "policy_number"],
        ),
    )
    wb.create("-7 x", "t", status_message="two strange words")
    assert gf(ip, "sessions --status 'two strange'")["id"].tolist() == ["-7 x"]
    assert gf(ip, "sessions --id-prefix -7")["id"].tolist() == ["-7 x"]
    assert gf(ip, "sessions --id-prefix=-7")["id"].tolist() == ["-7 x"]
    assert capsys.readouterr().out == ""


def test_the_other_commands(ip, monkeypatch):
    wb = gf(ip, "open demo")
    wb.create("-7 it's", "t")
    assert gf(ip, "show claim-0014").id == "claim-0014"
    assert gf(ip, 'show "-7 it\'s"').id == "-7 it's"
    assert gf(ip, "summary")["sessions"].sum() == 121
    assert isinstance(gf(ip, "latency"), Latency)
    assert gf(ip, "latency") is wb.latency
    monkeypatch.setattr(g.Workbench, "browse", lambda self, **filters: filters, raising=False)
    assert gf(ip, "browse") == {}
    assert gf(ip, "browse --graph claims --status 'a b'") == {"graph": "claims", "status": "a b"}


def test_a_cell(ip):
    result = ip.run_cell("%gf open demo\nframe = %gf sessions --limit 3\n%gf show claim-0014")
    assert result.result.id == "claim-0014"
    assert len(ip.user_ns["frame"]) == 3


def test_help(ip, capsys):
    for line in ("", "help"):
        assert gf(ip, line) is None
        out = capsys.readouterr().out
        for command in ("open", "sessions", "show", "browse", "summary", "latency", "help"):
            assert f"%gf {command}" in out
    assert "--id-prefix P" in out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sesions", "type %gf and one of open, sessions"),
        ("show", "ID; type %gf show ID"),
        ("show a b", "type %gf show ID"),
        ("show 'a b", "type another '"),
        ("sessions --limit x", "'x'; type %gf sessions"),
        ("sessions --limit -1", "limit"),
        ("sessions --order", "type %gf sessions"),
        ("sessions --order --limit 3", "type %gf sessions"),
        ("sessions --order sideways", "unknown order 'sideways'"),
        ("sessions --help", "type %gf sessions"),
        ("sessions --lim 3", "type %gf sessions"),
        ("summary now", "type %gf summary"),
        ("open memory: --as 1x", "'1x' can't be the name"),
        ("open memory: --as for", "'for' can't be the name"),
    ],
)
def test_wrong_lines_say_what_to_type(ip, line, said):
    gf(ip, "open demo")
    with pytest.raises(g.QueryError) as caught:
        gf(ip, line)
    assert said in str(caught.value)


def test_no_password_in_an_error(ip):
    for line in ("postgresql://u:secret@h/d", "open demo postgresql://u:secret@h/d"):
        with pytest.raises(g.QueryError) as caught:
            gf(ip, line)
        assert "secret" not in str(caught.value)


# Completion


def test_commands_and_options_are_completed(ip):
    assert complete(ip, "%gf s") == ["%gf sessions", "%gf show", "%gf summary"]
    assert len(complete(ip, "%gf ")) == 7
    assert complete(ip, "%gf sessions --l") == ["%gf sessions --limit"]
    assert complete(ip, "%gf sessions --id-") == ["%gf sessions --id-prefix"]
    assert len(complete(ip, "%gf sessions --")) == 7
    assert complete(ip, "%gf open demo --") == [
        f"%gf open demo --{option}" for option in ("writable", "create", "table", "mask", "as")
    ]
    assert complete(ip, "%gf sessions --order -u") == ["%gf sessions --order -updated_at"]
    assert complete(ip, "gf op") == ["gf open"]
    assert complete(ip, "  %gf op") == ["  %gf open"]
    assert complete(ip, "df = %gf sess") == ["df = %gf sessions"]
    assert complete(ip, "x = 1\n%gf op\nx", 12) == ["x = 1\n%gf open\nx"]


def test_graphs_and_tasks_are_completed(ip):
    wb = gf(ip, "open demo")
    assert complete(ip, "%gf sessions --graph ") == [
        "%gf sessions --graph claims",
        "%gf sessions --graph support",
    ]
    assert complete(ip, "%gf browse --graph=su") == ["%gf browse --graph=support"]
    assert complete(ip, "df = %gf sessions --graph claims --task await_d") == [
        "df = %gf sessions --graph claims --task await_documents"
    ]
    assert len(wb.latency) == 0  # pressing Tab is no operation


STRANGE = [
    "ns:a-1",
    "ns:a-2",
    "a.b.c",
    "a@b=c#d",
    "-7",
    "my session",
    "it's",
    'say "hi"',
    """both ' and " there""",
    "100% sure",
    "what?",
    "a,b;c|d&(e)[f]<g>",
    "größe λ",
    "~/x*",
    "!ls",
    "%gf",
    "0f8c1a52-6b1e-4c43-9f0e-0d7e2f6f8a11",
]


def test_tab_in_a_large_store_takes_little_time(ip, monkeypatch):
    class Large(g.InMemorySessionStorage):
        suspends = True
        slow = False

        async def estimate(self):
            return 1_234_567

        async def counts(self, query):
            raise AssertionError("all were counted")

        async def table(self, query, context=()):
            if self.slow:
                await asyncio.Event().wait()
            return await super().table(query, context)

    storage = Large.from_sessions([g.Session("a", "intake"), g.Session("b", "payout")])
    ip.user_ns["wb"] = g.wrap(storage)
    assert complete(ip, "%gf sessions --task pay") == ["%gf sessions --task payout"]
    monkeypatch.setattr("graphflow_nb.storage.estimates.COUNT_SECONDS", 0.01)
    assert complete(ip, "%gf show b") == ["%gf show b"]
    storage.slow = True
    assert "%gf show b" not in complete(ip, "%gf show b")


@one_in(3)
@pytest.mark.parametrize("id", STRANGE)
def test_a_completed_id_is_the_one_that_is_shown(ip, id):
    wb = gf(ip, "open memory:")
    for each in STRANGE:
        wb.create(each, "t")
    for cut in range(len(id) + 1):
        for quote in ("", "'", '"'):
            typed = id[:cut]
            if quote in typed if quote else set(typed) & set(" '\"?"):
                continue  # not typed so: it ends the word, or asks IPython for help
            lines = complete(ip, f"%gf show {quote}{typed}")
            shown = [ip.run_cell(line).result.id for line in lines]
            assert shown == sorted(each for each in STRANGE if each.startswith(typed))
    assert set(wb.latency.frame()["op"]) == {"save", "get"}


def test_a_quote_that_the_editor_closed_already(ip):
    gf(ip, "open memory:").create("my session", "t")
    assert complete(ip, "%gf show 'my'", 12) == ["%gf show 'my session'"]


def test_ids_that_would_mean_something_else_are_not_offered(ip):
    wb = gf(ip, "open memory:")
    for id in ("a{0}", "a$wb", "a\nb", "a\\", "ab"):
        wb.create(id, "t")
    assert complete(ip, "%gf show a") == ["%gf show ab"]


def test_completions_are_bounded(ip):
    gf(ip, "open demo")
    assert len(complete(ip, "%gf show ")) == 50
    assert complete(ip, "%gf show claim-001")[0] == "%gf show claim-0010"


def offered(ip, text):
    """What the magic itself offers at the end of a line."""
    event = SimpleNamespace(line=text, symbol="", text_until_cursor=text)
    return ip.find_line_magic("gf").__self__.complete(ip, event)


def shown(ip, text):
    """What is shown at the end of a line, of ours or not."""
    with provisionalcompleter():
        return {completion.text for completion in ip.Completer.completions(text, len(text))}


def test_completion_never_raises(ip, tmp_path, capsys):
    lines = [
        "%gf show c",
        "%gf show c ",
        "%gf show ''",
        "%gf nonsense ",
        "%gf sessions --graph ",
        "%gf sessions --limit ",
        "%gf 'a \" b",
        "gf = 5",
    ]
    closed = g.open(f"sqlite:{tmp_path / 's.db'}", create=True)
    closed.close()

    class Least:
        async def save(self, session):
            pass

        async def get(self, id):
            pass

        async def delete(self, id):
            pass

    for wb in (None, closed, g.wrap(Least())):
        ip.user_ns["wb"] = wb
        for line in lines:
            assert offered(ip, line) == []
            shown(ip, line)
    assert capsys.readouterr() == ("", "")


# Loading


def test_loading_twice_keeps_the_store_and_unloading_leaves_nothing(ip):
    wb = gf(ip, "open demo")
    magics.load_ipython_extension(ip)
    assert gf(ip, "latency") is wb.latency
    magics.unload_ipython_extension(ip)
    magics.unload_ipython_extension(ip)
    assert ip.find_line_magic("gf") is None
    for line in ("%gf s", "x = %gf s"):
        assert not {"sessions", "show", "summary"} & shown(ip, line)
    assert ip.user_ns["wb"] is wb
    magics.load_ipython_extension(ip)
    assert complete(ip, "%gf op") == ["%gf open"]
    assert complete(ip, "x = %gf op") == ["x = %gf open"]


def test_without_ipython_the_module_still_imports():
    code = (
        "import sys; sys.modules['IPython'] = None;"
        "from graphflow_nb.notebook.magics import gf; gf.load_ipython_extension"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "line", ["sesions", "sessions --grph claims", "show claim-9999", "open x:"]
)
def test_a_typo_is_told_in_a_line(ip, capsys, line):
    gf(ip, "open demo")
    capsys.readouterr()
    result = ip.run_cell(f"%gf {line}")
    assert isinstance(result.error_in_exec, g.GraphflowError)
    printed = "".join(capsys.readouterr())
    assert printed.startswith("Error: ")
    assert "Traceback" not in printed
    assert len(printed.splitlines()) <= 2
