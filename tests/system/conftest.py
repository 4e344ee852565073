import itertools
import pathlib
import subprocess
import fcntl

import pytest

pytest.register_assert_rewrite("client", "packets")

import exercised
import lempd
from client import World

NODE = pathlib.Path(__file__).parent / "node"


def pytest_addoption(parser):
    parser.addoption("--engine", default="embedded", choices=["embedded", "memory"],
                     help="the storage engine the servers run on")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--engine") == "memory":
        skip = pytest.mark.skip(reason="needs data that outlives the process (--engine memory)")
        for item in items:
            if item.get_closest_marker("durable"):
                item.add_marker(skip)


# -- was everything exercised? ------------------------------------------------------

_seen_by_workers = set()


def pytest_sessionfinish(session):
    """In each process of a run: gives what it saw to the one that leads, which fails a whole run for
    what nobody saw."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["exercised"] = sorted(exercised.seen)
    elif session.exitstatus == 0 and _is_whole(config):
        config.never_seen = exercised.missing(_seen_by_workers | exercised.seen)
        if config.never_seen:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    _seen_by_workers.update(getattr(node, "workeroutput", {}).get("exercised", ()))


def _is_whole(config):
    """Does the run hold every test of this folder (but those of -m kill)?"""
    options = config.option
    chosen = options.keyword or options.deselect or options.ignore or options.ignore_glob
    folders = [pathlib.Path(config.invocation_params.dir, arg).resolve() for arg in config.args]
    return not chosen and options.markexpr in ("", "not kill") and pathlib.Path(__file__).parent in folders


def pytest_terminal_summary(terminalreporter, config):
    for name in getattr(config, "never_seen", ()):
        terminalreporter.write_line(f"never exercised: {name}", red=True)


@pytest.fixture(scope="session")
def engine(request):
    return request.config.getoption("--engine")


@pytest.fixture(scope="session", params=[1, 2], ids=["1-thread", "2-threads"])
def threads(request):
    return request.param


@pytest.fixture(scope="session")
def shared_servers():
    """One server for each number of threads, kept for the whole run."""
    servers = {}
    yield servers
    wrong = [server.dispose() for server in servers.values()]
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.fixture
def server(shared_servers, threads, engine):
    """A running server with the usual settings, shared with other tests."""
    if threads not in shared_servers:
        settings = {**lempd.settings_for_tests(threads, engine), "delivery.durability": "os"}  # nobody kills it
        shared_servers[threads] = lempd.Lempd(settings).start()
    shared = shared_servers[threads]
    yield shared
    if not shared.alive():
        del shared_servers[threads]
        pytest.fail("the server ended during this test: " + shared.dispose())


@pytest.fixture
def make_server(threads, engine):
    """Makes servers of this test's own: make_server({"limits.max_packet": 4096}).start()."""
    servers = []

    def make(settings=None, **more):
        server = lempd.Lempd({**lempd.settings_for_tests(threads, engine), **(settings or {})}, **more)
        servers.append(server)
        return server

    yield make
    wrong = [server.dispose() for server in servers]
    assert not any(wrong), "\n".join(filter(None, wrong))


_names = itertools.count(1)


@pytest.fixture
async def world(server):
    world = World(server, _names)
    yield world
    await world.close()


@pytest.fixture
async def make_world(make_server):
    """make_world({"limits.max_sessions": 2}): users on a server of this test's own."""
    worlds = []

    def make(settings=None, **more):
        worlds.append(World(make_server(settings, **more).start(), _names))
        return worlds[-1]

    yield make
    for world in worlds:
        await world.close()


@pytest.fixture(scope="session")
def node_modules():
    """The packages of node/package-lock.json, installed once for all processes of the run."""
    with open(NODE / "package.json") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((NODE / "node_modules" / name).is_dir() for name in ("ws", "@asyncapi/parser")):
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=NODE, check=True,
                           timeout=120)
    return NODE


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the end of the server's log with a failure."""
    report = yield
    if report.failed and report.when == "call":
        server = getattr(item, "funcargs", {}).get("server")
        if server:
            report.sections.append(("log of lempd", server.log_tail()))
    return report
