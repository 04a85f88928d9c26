"""A run that never was, with one failure of each kind, for whoever looks at the page."""

from __future__ import annotations

import base64
import random
from typing import Any

from harness.machine.screen import Picture
from harness.report.document import Document, Run, Test

BEGAN = 1_790_000_000.0
BOOT = (("kernel", 0.6), ("root mounted", 2.0), ("init", 2.1), ("build timestamp", 2.6), ("http", 7.5))
SERVICES = ("dhcp", "ntp", "heartbeat", "randomd", "hello", "breakglass")
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> javascript:alert(3)"


def console(seconds: float, seed: int, *, panic: float | None = None, lines: int = 160) -> list[list[Any]]:
    """What a kernel and its services might say until then; with ``panic`` it dies at that second."""
    dice = random.Random(seed)
    said: list[list[Any]] = [[0.0, "mark", "power-on 1"]]
    end = panic if panic is not None else seconds
    for number in range(lines):
        at = round(end * ((number + 1) / lines) ** 1.4, 3)
        if number < lines * 0.6:
            what = (
                f"[{at * 0.97:12.6f}] virtio_blk virtio{number % 4}: [vda] {dice.randrange(10**6)} 512-byte blocks"
            )
            said.append([at, "kernel", what])
        else:
            service = dice.choice(SERVICES)
            said.append([at, "program", f"2026/09/21 {service}.go:{number}: lease renewed, next in {number} s"])
    if panic is not None:
        words = (
            "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008",
            "Kernel panic - not syncing: Fatal exception in interrupt",
            "CPU: 1 UID: 0 PID: 0 Comm: swapper/1 Not tainted 7.1.2 #1 PREEMPT",
            "Call trace:\n  dump_backtrace+0x98/0xf8\n  panic+0x174/0x374",
            "---[ end Kernel panic - not syncing: Fatal exception in interrupt ]---",
        )
        said += [
            [round(panic + 0.001 * number, 3), "finding" if number == 1 else "kernel", f"[{panic:12.6f}] {text}"]
            for number, text in enumerate(words)
        ]
    return said


def story(seconds: float, seed: int = 0, **of_console: Any) -> dict[str, Any]:
    """A time line of an appliance that boots, is asked, updated and paused."""
    rows: list[dict[str, Any]] = [
        {"at": 0.02, "lane": "power", "text": "start 1: power-on"},
        {"at": 0.3, "lane": "boot", "text": "boot 1 (power-on), slot A"},
    ]
    before = 0.02
    for phase, at in BOOT:
        if at < seconds:
            rows.append({"at": before, "end": at, "lane": "boot", "text": f"boot 1: until {phase}, {at:.1f} s"})
            before = at
    if seconds > 8:
        rows += [
            {
                "at": 3.0,
                "end": 7.4,
                "lane": "http",
                "text": "GET /: connection refused",
                "kind": "noted",
                "times": 9,
            },
            {"at": 7.5, "end": 7.62, "lane": "http", "text": "GET /: 200"},
            {"at": 7.6, "lane": "boot", "text": "ready"},
            *(
                {"at": 7.6, "lane": "services", "text": f"{one} runs as {40 + n}"}
                for n, one in enumerate(SERVICES)
            ),
            {"at": 8.0, "end": 8.9, "lane": "ssh", "text": "connect: done"},
            {"at": 9.0, "end": 9.4, "lane": "ssh", "text": "run cat /proc/cmdline: status 0"},
            {"at": 9.5, "end": 13.0, "lane": "http", "text": "PUT /update/root: 200"},
            *(
                {"at": 9.5 + 0.35 * n, "lane": "update", "text": f"/update/root: {10 * n} % of 54.2 MB sent"}
                for n in range(1, 11)
            ),
            {"at": 13.4, "end": 15.0, "lane": "faults", "text": "the processors stand still"},
            {"at": 13.4, "lane": "qemu", "text": "STOP"},
            {"at": 15.0, "lane": "qemu", "text": "RESUME"},
            {"at": 15.2, "end": 15.9, "lane": "power", "text": "checkpoint 'here' is taken"},
        ]
    panic = of_console.get("panic")
    if panic is not None:
        rows.append(
            {
                "at": panic,
                "lane": "console",
                "kind": "fatal",
                "text": "the kernel panicked: Fatal exception in interrupt",
            }
        )
    rows += [{"at": seconds - 0.1, "lane": "power", "text": "off: host-qmp-quit"}]
    return {
        "began": BEGAN + 0.05,
        "happenings": sorted((one for one in rows if one["at"] <= seconds), key=lambda one: one["at"]),
        "console": console(seconds, seed, **of_console),
        "left_out": {},
    }


def stages(seconds: float, failed: str = "") -> list[tuple[str, float, float]]:
    """Set-up, test and tear-down of so many seconds; nothing follows a set-up that failed but the tear-down."""
    ready = seconds if failed == "setup" else min(7.7, seconds * 0.6)
    rows = [("setup", BEGAN, BEGAN + ready)]
    if failed != "setup":
        rows.append(("call", BEGAN + ready, BEGAN + seconds - 0.1))
    return [*rows, ("teardown", BEGAN + seconds - 0.1, BEGAN + seconds)]


def screen(seed: int, *, width: int = 800, height: int = 480, lines: int = 24) -> Picture:
    """A screen of text as it looks from afar: light strokes on black."""
    dice = random.Random(seed)
    rows = [bytes(3 * width)] * height
    for line in range(lines):
        letters = dice.randrange(20, width // 8)
        for row in range(16 * line + 3, 16 * line + 13):
            strokes = b"".join(
                b"\xaa" * 9 + bytes(15) if dice.random() < 0.6 else bytes(24) for _ in range(letters)
            )
            rows[row] = strokes.ljust(3 * width, b"\0")
    return Picture(width, height, b"".join(rows))


def failure(number: int, kind: str, fault: str, what: str, **more: Any) -> Test:
    """A red test with a time line."""
    seconds, stage = more.pop("seconds", 18.0), more.pop("stage", "call")
    board, panic = more.pop("board", "virt"), more.pop("panic", None)
    name = f"scenarios/test_{kind.lower()}.py::test_number_{number}_of_the_sample[{board}]"
    test = Test(
        name,
        "error" if fault not in ("APPLIANCE", "") else "failed",
        board=board,
        seconds=seconds,
        stage=stage,
        fault=fault,
        kind=kind,
        what=what,
        reproduce=f"pytest '{name}' --gk-board {board}",
        file=name.partition("::")[0],
        line=12,
        error=f"{kind}: {what}\n" + "\n".join(f"    line {n} of the evidence" for n in range(30)),
        sections=[("gokrazy console", "the last lines"), ("gokrazy files", "/home/me/.gokharness/test")],
        properties={"gk_board": board, "gk_accelerator": "tcg", "gk_build": "2026-09-21T10:00:00Z"},
        stages=stages(seconds, stage),
        story=story(seconds, number, panic=panic),
    )
    for field, value in more.items():
        setattr(test, field, value)
    return test


def red_tests() -> list[Test]:
    """One failure of each kind."""
    return [
        failure(
            1,
            "KernelPanic",
            "APPLIANCE",
            "the kernel panicked: Fatal exception in interrupt; a NULL pointer dereference in virtnet_poll",
            where="console, 14.2 s after power-on, boot 1 (hello on virt)",
            hint="look at the call trace above it; boot the former kernel with --gk-kernel to compare",
            panic=14.2,
        ),
        failure(
            2,
            "InitFailure",
            "APPLIANCE",
            "init exited with status 1, and the kernel cannot live without it; it last said: panic: no hostname",
            where="console, 4.1 s after power-on, boot 1 (hello on pc-bios)",
            hint="the last lines before the panic are init's own: what they name is what is wrong",
            stage="setup",
            seconds=6.0,
            board="pc-bios",
            panic=4.1,
        ),
        failure(3, "AssertionError", "", "assert 'B' == 'A'", seconds=16.2),
        failure(
            4,
            "WaitTimeout",
            "APPLIANCE",
            "waited 30 s for service hello to run anew; the last try saw: /user/hello: stopped, pid 45",
            where="http://127.0.0.1:41233",
            hint="its log says why it does not start",
            seconds=41.5,
        ),
        failure(
            5,
            "QemuCrashed",
            "HOST",
            "QEMU was ended by signal 11 (SIGSEGV)",
            where="raspi4b",
            hint="run the test again: it says nothing about the appliance",
            board="raspi4b",
            screen={"at": 17.62, "png": base64.b64encode(screen(1).png()).decode()},
        ),
        failure(
            6, "DeviceUnreachable", "APPLIANCE", EVIL, hint=EVIL, where=EVIL, error=EVIL, sections=[(EVIL, EVIL)]
        ),
        failure(
            7,
            "ApplianceFault",
            "APPLIANCE",
            "/user/hello: it was started 14 times: runs, pid 97; panic: runtime error: index out of range [3] "
            "with length 3",
            where="http://127.0.0.1:41233/status?path=/user/hello",
            hint="its log has the whole trace; gk_expect = hello: restarts takes it for what is wanted",
            seconds=33.0,
        ),
    ]


def images() -> list[dict[str, Any]]:
    """Two images that were built, and one that was given and says little."""
    built = {
        "github.com/gokrazy/gokrazy": ("v0.0.0-20260418085648-c38c3134b8a7", "BSD-3-Clause"),
        "github.com/gokrazy/kernel.arm64": ("v0.0.0-20260705071517-37841c4d6ff1", "BSD-3-Clause", "GPL-2.0"),
        "github.com/gokrazy/firmware": (
            "v0.0.0-20260522070551-527ce0ed43cf",
            "BSD-3-Clause",
            "LICENSE.broadcom (This license file covers the following files:)",
        ),
        "golang.org/x/sys": ("v0.38.0", "BSD-3-Clause"),
        "github.com/rtr7/dhcp4": ("v0.0.0-20220302171438-18c84d089b46", "Apache-2.0"),
        "gokrazy.example/hello": ("(local)", "unknown: a folder of whoever built it"),
        "std": ("go1.26.8", "BSD-3-Clause"),
    }
    row = {
        "arch": "arm64",
        "build": "2026-09-21T10:00:00Z",
        "boot_loader": "systemd-boot 252.39 (sha256 4f3c)",
        "boot_sector": "",
        "sbom_hash": "7d" * 32,
        "kernel": {
            "release": "7.1.3",
            "package": "github.com/gokrazy/kernel.arm64",
            "version": built["github.com/gokrazy/kernel.arm64"][0],
            "sha256": "c0" * 32,
        },
        "notes": ["built with rootdelay=0"],
        "modules": [
            {"path": path, "version": version, "licences": licences}
            for path, (version, *licences) in sorted(built.items())
        ],
    }
    nothing: dict[str, Any] = {"kernel": {}, "notes": [], "modules": [], "sbom_hash": "", "boot_loader": ""}
    return [
        {**row, "title": "image hello", "hostname": "hello", "builder": "own", "digest": "a319029170f4ce10" * 4},
        {**row, "title": "next image hello", "hostname": "hello", "builder": "own", "digest": "b4" * 32},
        {**row, **nothing, "title": "image", "hostname": "router7", "builder": "given", "digest": "c5" * 32},
    ]


def run_of_each_kind() -> Document:
    """The sample: all kinds of red, what passed, what was skipped, and what is worth knowing."""
    tests = red_tests()
    boards = ("pc-bios", "pc-uefi", "virt", "raspi4b")
    for number in range(21):
        board = boards[number % 4]
        seconds = 1.2 + (number * 37 % 23)
        name = f"scenarios/test_update.py::test_that_the_slot_flips_and_number_{number}_holds[{board}]"
        tests.append(
            Test(
                name,
                "passed",
                board=board,
                seconds=seconds,
                reproduce=f"pytest '{name}' --gk-board {board}",
                file="scenarios/test_update.py",
                line=40 + number,
                properties={"gk_board": board, "gk_accelerator": "tcg", "gk_image": images()[0]["digest"]},
                stages=stages(seconds),
                story=story(seconds, number),
            )
        )
    why = "not applicable: it needs the project's own crasher image"
    tests += [
        Test(f"scenarios/test_crash.py::test_{n}[virt]", "skipped", board="virt", what=why) for n in range(2)
    ]
    cold = {"kernel": 0.6, "root": 2.0, "init": 2.1, "build": 2.6, "http": 7.5, "ready": 7.6}
    slow = {"kernel": 5.0, "root": 17.9, "init": 18.2, "build": 19.0, "http": 22.7, "ready": 22.9}
    return Document(
        runs=[
            Run(
                BEGAN,
                412.9,
                facts={
                    "image hello": "hello (arm64) build 2026-09-21T10:00:00Z by own, digest a319029170f4ce10",
                    "virt": "QEMU emulator version 10.0.2, TCG",
                    "evil": EVIL,
                },
                notes=["note  machines waited 3 times for room on this host: 7 s in all, 4 s at most"],
            )
        ],
        tests=tests,
        boots=[
            *(("virt", "cold", {name: at * f for name, at in cold.items()}) for f in (0.95, 1.0, 1.2)),
            *(("pc-uefi", "cold", {name: at * f for name, at in slow.items()}) for f in (0.98, 1.0, 1.07)),
            ("pc-bios", "cold", {name: at * 0.9 for name, at in slow.items()}),
            *(("virt", "warm", {"ready": at}) for at in (0.2, 0.3, 0.25)),
        ],
        images=images(),
        deviations={
            "kernel-and-modules-fit": "vmlinuz is Linux 7.1.2, lib/modules is 7.1.3: no module can be loaded"
        },
        console=[
            {"check": "hung-task", "what": "task fbstatus hung for 120 s", "tests": 2, "boards": ["virt"]},
            {"check": "evil", "what": EVIL, "tests": 1, "boards": ["virt"]},
        ],
        services=[
            {
                "kind": "needs-hardware",
                "seen": "/user/fbstatus: display: open /dev/fb0: no such file or directory (exit status 1)",
                "boards": ["virt"],
            }
        ],
        skipped={why: 2},
        left_out={"whether data stays: not applicable: /perm is blank": 1},
    )
