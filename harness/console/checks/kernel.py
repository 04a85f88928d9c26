"""What the kernel says of itself, of init and of its root file system: Linux 6.12 to 7.1."""

from __future__ import annotations

from harness.console.check import PANIC_WINDOW, Check, Severity
from harness.errors import BootFailure, HostTooBusy, InitFailure, KernelPanic

FATAL, NOTED = Severity.FATAL, Severity.NOTED

MEMORY_SHORT = "the machine has {memory} MiB of memory{more}"
"""What to do where memory runs out: the facts of the machine fill it in."""

_PANIC = r"Kernel panic - not syncing: "
_INIT = _PANIC + r"Requested init (\S+) failed "

CHECKS: tuple[Check, ...] = (
    # --- init could not be started, or ended -----------------------------------------------------------------
    Check(
        "init-missing",
        _INIT + r"\(error -2\)",
        "the kernel cannot start init: {1} is not in the root file system (error -2)",
        FATAL,
        InitFailure,
        hint="is /gokrazy/init in the root file system, and does init= of cmdline.txt name it?",
        example="Kernel panic - not syncing: Requested init /nope failed (error -2).",
    ),
    Check(
        "init-not-executable",
        _INIT + r"\(error -8\)",
        "the kernel cannot run {1}: it is built for another architecture than the kernel, or damaged (error -8)",
        FATAL,
        InitFailure,
        hint="compare GOARCH in the instance's Environment with its KernelPackage",
        example="Kernel panic - not syncing: Requested init /gokrazy/init failed (error -8).",
    ),
    Check(
        "init-not-permitted",
        _INIT + r"\(error -13\)",
        "the kernel may not run {1}: it is not a file with the permission to be executed (error -13)",
        FATAL,
        InitFailure,
        hint="build the image again; if it stays, look at the mode of that file in the root file system",
        example="Kernel panic - not syncing: Requested init /gokrazy/init failed (error -13).",
    ),
    Check(
        "init-unreadable",
        _INIT + r"\(error -5\)",
        "the kernel cannot read {1}: the root file system or the disk under it is damaged (error -5)",
        FATAL,
        InitFailure,
        follows=("io-error", "card-error"),
        look_back=15,
        hint="compare the image with a fresh build, then look at what wrote the disk",
        example="Kernel panic - not syncing: Requested init /gokrazy/init failed (error -5).",
    ),
    Check(
        "init-failed",
        _INIT + r"\(error (-\d+)\)",
        "the kernel cannot start {1} (error {2})",
        FATAL,
        InitFailure,
        hint="look up that error number of Linux, then look at the file in the root file system",
        example="Kernel panic - not syncing: Requested init /gokrazy/init failed (error -40).",
    ),
    Check(
        "init-missing",
        _PANIC + r"No working init found",
        "the kernel found no init that it could start: the root file system has none where the kernel looks",
        FATAL,
        InitFailure,
        hint="is /gokrazy/init in the root file system, and does init= of cmdline.txt name it?",
        example="Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.",
    ),
    Check(
        "init-died",
        _PANIC + r"Attempted to kill init!(?: exitcode=(0x[0-9a-f]+))?",
        "init ended, and the kernel cannot live without it",
        FATAL,
        InitFailure,
        of_init=True,
        hint="its last words are above; if init is not gokrazy's (InitPkg), look at that program",
        example="Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200",
    ),
    # --- the root file system --------------------------------------------------------------------------------
    Check(
        "root-not-named",
        r"VFS: Cannot open root device \"(?:\(null\))?\" or ",
        "the kernel was given no root file system: its command line has no root=",
        FATAL,
        KernelPanic,
        look_back=15,
        hint="look at cmdline.txt in the boot partition, and at KernelExtraArgs",
        example='VFS: Cannot open root device "" or unknown-block(0,0): error -6',
    ),
    Check(
        "root-not-found",
        r"VFS: Cannot open root device \"?([^\"\s]+)\"? or .*error (-\d+)",
        "no partition of the disk is {1}: the root= of the kernel's command line and the partition table "
        "do not fit each other, or the disk is not there (error {2})",
        FATAL,
        KernelPanic,
        look_back=15,
        hint="compare root= in cmdline.txt with the partition table (sfdisk --dump IMAGE)",
        example='VFS: Cannot open root device "PARTUUID=60c24cc1/PARTNROFF=1" or unknown-block(0,0): error -6',
    ),
    Check(
        "root-not-found",
        r"Waiting for root device (\S+?)(?:\.\.\.)?$",
        "the kernel waits for the partition {1}, which does not appear: the root= of its command line and the "
        "partition table do not fit each other, or the disk is not there",
        FATAL,
        BootFailure,
        kernel=True,
        patience=20.0,
        cured_by=r"VFS: Mounted root|Linux version ",
        hint="compare root= in cmdline.txt with the partition table (sfdisk --dump IMAGE)",
        example="Waiting for root device PARTUUID=60c24cc1/PARTNROFF=1...",
    ),
    Check(
        "squashfs-error",
        r"SQUASHFS error: Failed to read block \S+: (-12)$",
        "the kernel had no memory left to read the root file system (error {1})",
        FATAL,
        BootFailure,
        hint="find the program that takes the memory, or give the machine more (--gk-memory)",
        example="SQUASHFS error: Failed to read block 0x19df43f: -12",
    ),
    Check(
        "squashfs-error",
        # What cannot be unpacked says so before.
        r"SQUASHFS error: Failed to read block \S+: (-\d+)",
        "the disk under the root file system does not read (error {1})",
        FATAL,
        BootFailure,
        follows=("io-error", "card-error"),
        look_back=15,
        hint="look at the disk or card first, and at what holds it: the image on it may be well",
        example="SQUASHFS error: Failed to read block 0x21c04be: -5",
    ),
    Check(
        "squashfs-error",
        r"SQUASHFS error: (.*)",
        "the root file system is damaged: {1}",
        FATAL,
        BootFailure,
        follows=("io-error", "card-error"),
        look_back=15,
        hint="compare the image with a fresh build; after an update, look at what was uploaded",
        example="SQUASHFS error: unable to read id index table",
    ),
    Check(
        "root-not-mountable",
        _PANIC + r"VFS: Unable to mount root fs on (.*)",
        "the kernel cannot mount the root file system ({1}): it is no file system that the kernel knows "
        "(squashfs with gzip or without compression), or it is damaged",
        FATAL,
        KernelPanic,
        follows=("io-error", "card-error"),
        look_back=25,
        hint="look at the root partition (unsquashfs -s), and at whether this kernel has squashfs built in",
        example="Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(253,2)",
    ),
    # --- the kernel ------------------------------------------------------------------------------------------
    Check(
        "kernel-oops",
        r"BUG: (?:unable to handle|kernel NULL|Unable)[^\n]*|[Kk]ernel BUG at [^\n]*"
        r"|Unable to handle kernel [^\n]*|Internal error: [^\n]*|Oops: [^\n]*|general protection fault[:,] [^\n]*"
        r"|SError Interrupt on CPU\d+, code [^\n]*"
        # Linux before 6.10 has no "Oops: " before the name of the trap.
        r"|[a-z](?<![\w-].)[\w -]{0,40}: [0-9a-f]{4,16} \[#\d+\][^\n]*|(?:traps: )?PANIC: double fault[^\n]*",
        "the kernel made an error: {0}",
        FATAL,
        KernelPanic,
        kernel=True,
        window=PANIC_WINDOW,
        breakpoint="int3",
        names_function=True,
        hint="the function at fault is below; try an older kernel (of an instance: --gk-kernel MODULE@VERSION)",
        example="BUG: unable to handle page fault for address: ffffffffdeadbeef",
    ),
    Check(
        # check_timer() counts timer interrupts over some 40 ms of real time; a QEMU without KVM that gets no
        # processor meanwhile delivers too few (cirros-dev/cirros issue 69, lima-vm/socket_vmnet issue 55).
        "timer-starved",
        _PANIC + r"IO-APIC \+ timer doesn't work",
        "the kernel missed its timer's interrupts: this machine is too busy to emulate a PC",
        FATAL,
        HostTooBusy,
        look_back=15,
        hint="run less beside it, or fewer tests at once",
        example="Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with apic=debug",
    ),
    Check(
        # Of raspi4b, where its card is in from power-on: see docs/raspberry-pi.md, "The network card".
        "usb-card-lost",
        r"dwc2 \S+: Not connected",
        "the kernel heard too late of its USB network card, which QEMU had forgotten: this machine is too busy",
        FATAL,
        HostTooBusy,
        kernel=True,
        hint="run less beside it, or fewer tests at once",
        example="dwc2 fe980000.usb: Not connected",
    ),
    Check(
        "kernel-panic",
        _PANIC + r"(.*)",
        "the kernel gave up: {1}",
        FATAL,
        KernelPanic,
        follows=("kernel-warning", "kernel-bug", "undefined-behaviour", "soft-lockup", "hung-task", "rcu-stall"),
        look_back=15,
        hint="what led to it is below; try an older kernel (of an instance: --gk-kernel MODULE@VERSION)",
        example="Kernel panic - not syncing: sysrq triggered crash",
    ),
    Check(
        "bad-device-tree",
        r"Error: invalid device tree blob.*",
        "the kernel cannot read its device tree: {0}",
        FATAL,
        BootFailure,
        kernel=True,
        hint="look at the .dtb files of the kernel package, and at dtoverlay= in config.txt",
        example="Error: invalid device tree blob: PA=0x0000000048000000, VA=0x0",
    ),
    Check(
        "soft-lockup",
        # A work queue is stuck as well where its processor is.
        r"watchdog: BUG: soft lockup.*|BUG: workqueue lockup .*"
        r"|watchdog: (?:CPU\d+: )?Watchdog detected hard LOCKUP.*"
        r"|NMI watchdog: .*LOCKUP.*|\bcsd: \w+ non-responsive CSD lock .*",
        "a processor was stuck inside the kernel: {0}",
        NOTED,
        kernel=True,
        cause="look first at what the kernel does there",
        of_busy_host=True,
        example="watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [hello:104]",
    ),
    Check(
        "kernel-bug",
        # The second form is SLUB's (mm/slub.c, slab_bug), the third that of XArray and maple tree.
        r"\bBUG: .*|\bBUG \S+ \((?:Not tainted|Tainted: ).*|(?<!ernel )\bBUG at \S+:\d+.*"
        r"|\bkmemleak: \d+ new suspected memory leaks.*|\bOF: ERROR: \S+ detected bad .*",
        "the kernel reports a bug of its own: {0}",
        NOTED,
        kernel=True,
        example="BUG kmalloc-64 (Not tainted): Redzone overwritten",
    ),
    Check(
        "undefined-behaviour",
        r"\bUBSAN: .*",
        "the kernel did what C does not define: {0}",
        NOTED,
        kernel=True,
        example="UBSAN: array-index-out-of-bounds in fs/ext4/super.c:2719:24",
    ),
    Check(
        "kernel-warning",
        # Of WARN() until Linux 6.17 and since; the rest is lockdep's and RCU's. Others that begin so are notices.
        r"(?:^|\] )WARNING: ((?:CPU: \d+ PID: \d+ at |(?:\[.*\] )?(?:\S+:\d+ )?at |possible "
        r"|suspicious RCU|kernel stack (?:regs|frame pointer) at "
        r"|inconsistent lock|bad unlock|bad contention|held lock freed|lock held when|[Nn]ested lock"
        r"|stack corruption"
        r"|\S+-safe -> \S+-unsafe lock order|\S+/\d+ still has locks held).*)"
        r"|INFO: (trying to register non-static key.*)",
        "the kernel warns of a state that it holds to be impossible: {1}{2}",
        NOTED,
        kernel=True,
        example="WARNING: CPU: 1 PID: 33 at kernel/workqueue.c:3000 check_flush+0x1/0x2",
    ),
    Check(
        "rcu-stall",
        r"\brcu: INFO: \w+ (?:self-)?detected (?:expedited )?stalls?\b.*"
        r"|\brcu: \w+ kthread (?:starved|timer wakeup didn't happen)\b.*|\bINFO: rcu_tasks\w* detected stalls.*",
        "a processor did not come back to the kernel for a long time (on a busy host: QEMU got too little time)",
        NOTED,
        kernel=True,
        of_busy_host=True,
        example="rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-.... } 21 jiffies s: 9",
    ),
    Check(
        "hung-task",
        # A name may have blanks, and even ends of lines.
        r"\btask .{1,32}:\d+ blocked\s+(?:in I/O wait\s+)?for more than \d+ seconds"
        r"|(?<!\S)\S*:\d+ blocked\s+(?:in I/O wait\s+)?for more than \d+ seconds",
        "{0}",
        NOTED,
        kernel=True,
        cause="look first at what that task waits for",
        of_busy_host=True,
        example="INFO: task hello:104 blocked for more than 120 seconds.",
    ),
    Check(
        "oom-kill",
        # A name may have blanks.
        r"(?:Out of memory|Memory cgroup out of memory)(?: \(\w+\))?: Killed process \d+ \(.{1,16}\)",
        "memory ran out and the kernel killed a program: {0}",
        NOTED,
        kernel=True,
        cause=MEMORY_SHORT,
        example="Out of memory: Killed process 105 (leaker) total-vm:1234kB, anon-rss:1kB",
    ),
    Check(
        "no-memory",
        r"(?<!\S)\S+: page allocation failure: .*|(?<!\S)\S+: vmalloc error: .*"
        r"|SLUB: Unable to allocate memory on .*",
        "the kernel found no memory for a program or a driver: {0}",
        NOTED,
        kernel=True,
        cause=MEMORY_SHORT,
        example="hello: page allocation failure: order:4, mode:0xcc0(GFP_KERNEL), nodemask=(null)",
    ),
    Check(
        "segfault",
        # Those of arm64 come after `sysctl debug.exception-trace=1`. A name may have blanks.
        r"(?:^|(?<=\] )).{1,16}\[\d+\]: segfault at .*|(?:^|(?<=\] )).{1,16}\[\d+\]: unhandled exception: .*"
        r"|traps: .{1,16}\[\d+\] .*",
        "a program was killed by the processor: {0}",
        NOTED,
        kernel=True,
        example="hello[104]: segfault at 0 ip 0000000000401000 sp 00007ffe error 4 in hello[401000+1000]",
    ),
)
