"""The pytest plugin: options, markers, fixtures, header, summary, exit status.

Nothing heavy is imported before a test needs it, so ``pytest --help`` and ``--collect-only`` work on a machine
that has no QEMU. All names carry the prefix ``gk``; the fixtures are ``board``, ``appliance``, ``appliance_off``,
``second_appliance``, ``next_image`` and ``tailnet``, and everything else hangs off the appliance.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import boards
from harness.errors import Fault, HarnessError, NotOnDevice, UserError
from harness.lab.recordable import must_be_recordable
from harness.options import Settings, add_options, must_be_readable, options_said, settings_from
from harness.package_data import scenarios_folder
from harness.report.evidence import hang_under, story_for
from harness.report.junit import Junit
from harness.report.places import PAGE, must_take_results
from harness.report.properties import properties
from harness.report.recorder import Recorder
from harness.report.reproduce import typed
from harness.report.verdict import Verdict
from harness.report.words import Words, words_of
from harness.run import durations, hooks, markers, rerun, second, workers
from harness.run.outcome import FAULT, did_not_come_up
from harness.run.repeat import Repeat, tally
from harness.run.second import second_appliance  # noqa: F401
from harness.run.selection import NO_BOARD, board_of, give_boards, select
from harness.run.shard import Shard, digest
from harness.run.whose import fixtures_of, needs_appliance
from harness.tailnet.fixture import tailnet, with_tailnet  # noqa: F401

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.boards import Board
    from harness.bundle.offer import Bundles
    from harness.image.model import Image
    from harness.lab.lab import Lab
    from harness.report.document import Document

PAUSE = "gokrazy-pause"
SETTINGS = pytest.StashKey[Settings]()
VERDICT = pytest.StashKey[Verdict]()
RECORDER = pytest.StashKey[Recorder]()
DOCUMENT: pytest.StashKey[Document] = pytest.StashKey()
LAB = pytest.StashKey["Lab"]()
BUNDLES = pytest.StashKey["Bundles"]()
WORDS = pytest.StashKey[Words]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add each option and its ini twin."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks that a user's plugin may have."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and check the options."""
    for line in markers.LINES:
        config.addinivalue_line("markers", line)
    config.stash[WORDS] = words = words_of(config)
    config.stash[second.LAB_OF] = partial(_lab, config)
    try:
        said = options_said(config)
        settings = settings_from(said, folder=config.invocation_params.dir)
        settings = hooks.with_checks(settings, config)
        must_be_recordable(settings)
        for name in settings.boards or ():
            boards.board(name)
    except UserError as error:
        raise pytest.UsageError(words(str(error))) from None
    config.stash[SETTINGS] = settings
    workers.end_with_controller(config)
    config.pluginmanager.register(
        workers.Controller(lambda: _lab(config).folders.folder("shared", bulky=True), said), "gokrazy-workers"
    )
    if settings.list:
        config.option.collectonly = True
    for flag, given in (("--gk-pause", settings.pause), ("--gk-device", settings.device)):
        if given:
            workers.must_be_alone(config, flag)
    if settings.pause:
        from harness.hand import pause

        pause.check(config)
        config.pluginmanager.register(pause.Pause(config, lambda: config.stash.get(LAB, None), words), PAUSE)
    config.stash[VERDICT] = verdict = Verdict(strict=settings.strict)
    config.stash[RECORDER] = recorder = Recorder(verdict, words)
    config.pluginmanager.register(recorder, "gokrazy-recorder")
    config.pluginmanager.register(Junit(), "gokrazy-junit")
    if settings.repeat > 1:
        config.pluginmanager.register(Repeat(settings.repeat), "gokrazy-repeat")
    if settings.accel == "auto":
        config.pluginmanager.register(rerun.Rerun(_may_break), "gokrazy-rerun")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what this run is about; nothing where it may well be about something else."""
    said = any(value is not None for name, value in options_said(config).items() if name != "gk_artifacts")
    return _header(config) if said or config.rootpath == scenarios_folder().parent else []


def _header(config: pytest.Config) -> list[str]:
    from harness.report.header import header_lines

    settings = config.stash[SETTINGS]
    lines = [config.stash[WORDS](line) for line in header_lines(settings)]
    if settings.shard is not None:
        dealt = digest(durations.load(_page(config).parent))
        lines.append(f"gokrazy: shard {Shard(*settings.shard)}, by durations {dealt} (the same in every shard)")
    return lines


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Look at what is to be tested before anything is collected: what is wrong with it is a usage error."""
    settings = session.config.stash[SETTINGS]
    if not settings.is_own or settings.changes_machines:
        with _as_pytest_says(session.config):
            must_be_readable(settings)
            lab = _lab(session.config)
            lab.boards  # noqa: B018  it raises
            if settings.list:
                # Nothing is built then, and what cannot be built is not to look as though it could.
                lab.images.check()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs a board once on each board that it and the run allow."""
    give_boards(metafunc, lambda: _lab(metafunc.config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to another tier or share, and what none of the boards may run."""
    select(config, items, config.stash[SETTINGS], lambda: _lab(config))


def pytest_collection_finish(session: pytest.Session) -> None:
    """With ``--gk-list``, say what of it will run, and how long that takes."""
    config = session.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if config.stash[SETTINGS].list and reporter is not None:
        from harness.report.listing import listing

        with _as_pytest_says(config):
            tests = {item.nodeid: _foreseen(item) for item in session.items}
        for line in listing(tests, durations.load(_page(config).parent)):
            reporter.write_line(config.stash[WORDS](line))


def _foreseen(item: pytest.Item) -> str:
    """Why a test will be skipped, as far as that is known without building or starting anything."""
    if not needs_appliance(item) or board_of(item) == NO_BOARD:
        return ""
    lab = _lab(item.config)
    wanted = markers.wanted_of(item, lab.board(board_of(item)), running="appliance" in fixtures_of(item))
    return next(filter(None, map(lab.foreseen_skip, second.wanted_of_both(item, wanted))), "")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Build or find every image before the first test, so that a bad input is one error and not one a test."""
    config = session.config
    items = [item for item in session.items if needs_appliance(item)]
    if config.option.collectonly or not items or session.testsfailed:
        return
    lab = _lab(config)
    needed: dict[tuple[str, str], bool] = {}
    for item in items:
        for family, is_updated in second.families_of(item):
            key = board_of(item), family
            needed[key] = needed.get(key, False) or is_updated
    with _as_pytest_says(config):
        results = "--junit" if config.stash[WORDS].command else "--junitxml"
        must_take_results(config, config.stash[SETTINGS], results)
        lab.prepare(needed)


@contextmanager
def _as_pytest_says(config: pytest.Config) -> Iterator[None]:
    """Turn an error outside of any test into a usage error, or into the exit status of whose fault it is."""
    try:
        yield
    except HarnessError as error:
        config.stash[WORDS].reword(error)
        workers.report_stopped(config, error)
        if isinstance(error, UserError):
            raise pytest.UsageError(str(error)) from None
        pytest.exit(str(error), returncode=error.fault.value)


def _may_break(item: pytest.Item) -> bool:
    """Whether a test runs on KVM, so that TCG is left when that breaks."""
    if not needs_appliance(item) or board_of(item) == NO_BOARD:
        return False
    lab = item.config.stash.get(LAB, None)
    return lab is not None and lab.accelerator_so_far(board_of(item)) == "kvm"


def _lab(config: pytest.Config) -> Lab:
    lab = config.stash.get(LAB, None)
    if lab is None:
        from harness.lab.lab import Lab

        made: type[Lab] = Lab
        if config.stash[SETTINGS].device is not None:
            from harness.lab.device import DeviceLab

            made = DeviceLab
        reporter = config.pluginmanager.get_plugin("terminalreporter")

        def say(line: str) -> None:
            if reporter is not None:
                reporter.write_line(words(line))

        words = config.stash[WORDS]
        lab = made(config.stash[SETTINGS], shared=workers.shared_folder(config), say=say)
        lab.failed_start = partial(_failed_start, config)
        config.stash[LAB] = lab
    return lab


def _bundles(config: pytest.Config, lab: Lab) -> Bundles:
    from harness.bundle.offer import Bundles

    return config.stash.setdefault(BUNDLES, Bundles(lab))


def _failed_start(config: pytest.Config, appliance: Appliance, error: HarnessError) -> None:
    """Keep what did not come up for its report, and have somebody look at it who wants to."""
    if appliance.is_emulated:
        _bundles(config, config.stash[LAB]).failed_start(appliance)
    if pause := config.pluginmanager.get_plugin(PAUSE):
        pause.failed_start(appliance, error)


@pytest.fixture(scope="session")
def board(request: pytest.FixtureRequest) -> Board:
    """The board that this test runs on."""
    return _lab(request.config).board(request.param)


@pytest.fixture
def appliance(request: pytest.FixtureRequest, board: Board) -> Iterator[Appliance]:
    """A running appliance of this test's own: ready, with nothing done to it yet."""
    with _appliance(request, board, running=True) as appliance:
        yield appliance


@pytest.fixture
def appliance_off(request: pytest.FixtureRequest, board: Board) -> Iterator[Appliance]:
    """An appliance of this test's own that has not been switched on."""
    with _appliance(request, board, running=False) as appliance:
        yield appliance


@pytest.fixture
def next_image(request: pytest.FixtureRequest, board: Board) -> Image:
    """The image to update to: ``--gk-next-image``, else a variation of the image under test."""
    return _lab(request.config).next_image(board, markers.family_of(request.node))


def _appliance(
    request: pytest.FixtureRequest, board: Board, *, running: bool
) -> AbstractContextManager[Appliance]:
    lab = _lab(request.config)
    wanted = with_tailnet(request, markers.wanted_of(request.node, board, running=running))
    both = second.wanted_of_both(request.node, wanted)
    if reason := next(filter(None, map(lab.skip_reason, both)), ""):
        pytest.skip(reason)
    return lab.appliance(both[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    """Skip a test whose fixtures want what a real device cannot do, or may not."""
    try:
        return (yield)
    except NotOnDevice as refused:
        pytest.skip(refused.what)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that passed by itself while an appliance of it died and nobody looked; skip as at set-up."""
    __tracebackhide__ = True
    result, reason = None, ""
    try:
        result = yield
    except NotOnDevice as refused:
        reason = refused.what
    for appliance in second.appliances_of(item, item.config.stash.get(LAB, None)):
        appliance.power.check_unseen()
        appliance.console.check_unseen()
    if reason:
        pytest.skip(reason)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say whose fault a failure is, and hang what the device said at that moment under the test."""
    lab = item.config.stash.get(LAB, None)
    made = second.appliances_of(item, lab)
    appliance = made[0] if made else None
    error = call.excinfo.value if call.excinfo is not None else None
    if error is not None:
        second.explain(made, error)
        item.config.stash[WORDS].reword(error)
    report = yield
    if not needs_appliance(item):
        return report
    # Attributes, not objects: a report may travel from another process.
    report.gk_appliance = True  # type: ignore[attr-defined]
    report.gk_on = "" if board_of(item) == NO_BOARD else board_of(item)  # type: ignore[attr-defined]
    hang_under(report, made, error)
    if report.failed:
        rerun.mark(report, error)
    if report.when == "setup":
        # Of a try before this one, where a plugin runs a test again.
        item.user_properties[:] = [one for one in item.user_properties if not one[0].startswith("gk_")]
    if (fault := getattr(report, FAULT, "")) and FAULT not in dict(item.user_properties):
        item.user_properties.append((FAULT, fault))
        report.user_properties = list(item.user_properties)
    if lab is not None:
        # Of a real device neither disk nor memory can be had.
        if item.config.stash[SETTINGS].device is None and (appliance is not None or report.failed):
            _bundles(item.config, lab).offer(item, report, made, error)
        report.gk_news = {**lab.journal.take(), **story_for(report, appliance)}  # type: ignore[attr-defined]
        if appliance is not None and (report.when == "call" or (report.when == "setup" and report.failed)):
            item.user_properties.extend(properties(appliance))
            report.user_properties = list(item.user_properties)
    return report


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Count an appliance that did not come up as a failure of the test."""
    return ("failed", "F", "FAILED") if did_not_come_up(report) else None


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Boot times of each board, deviations, skips with their reasons, and where the report is."""
    from harness.report.summary import write_summary

    recorder = config.stash[RECORDER]
    write_summary(terminalreporter, recorder, _page(config))
    if (document := config.stash.get(DOCUMENT, None)) is not None:
        from harness.report.github import annotation_lines

        for line in annotation_lines(document):
            terminalreporter.write_line(line)
    if config.stash[SETTINGS].repeat > 1 and recorder.outcomes:
        for line in tally(recorder.outcomes.values()):
            terminalreporter.write_line(line)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stop what runs, write the report, and let the exit status say whose fault it was."""
    config = session.config
    lab = config.stash.get(LAB, None)
    if lab is not None:
        lab.close()
    recorder = config.stash[RECORDER]
    # A worker of pytest-xdist sees only its share: the report is written where all of it comes together.
    if config.option.collectonly or workers.is_worker(config):
        return
    settings = config.stash[SETTINGS]
    if recorder.boots and settings.repeat == 1:
        durations.keep(_page(config).parent, recorder.outcomes.values())
    if recorder.asked:
        from harness.report import document
        from harness.report.files import write_report

        shard = "/".join(map(str, settings.shard or ()))
        whole = document.Document.of(recorder, typed(config, config.stash[WORDS]), shard=shard)
        config.stash[DOCUMENT] = whole
        for lost in write_report(whole, settings):
            recorder.notes.append(config.stash[WORDS](lost))
            config.stash[VERDICT].faults[Fault.HOST] += 1
    session.exitstatus = config.stash[VERDICT].exit_status(int(exitstatus))


def _page(config: pytest.Config) -> Path:
    return config.stash[SETTINGS].artifacts / PAGE
