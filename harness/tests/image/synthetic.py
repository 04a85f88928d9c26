"""Small stand-ins for what a real image holds: programs, a kernel, and a whole disk around them."""

import gzip
import struct
from pathlib import Path

from harness.image.arch import Arch
from harness.image.disk import SMALLEST_DISK, DiskParts, partuuid, write_disk
from harness.image.fat import write_fat
from harness.image.model import PermState
from harness.image.squashfs import Dir, File, Link, Tree, pack

MTIME = 1700000000
STAMP = "2026-07-05T07:07:35Z"
PASSWORD = "correct horse"
DRAWS = b"%v: %w/dev/fb0GoString"
"""As Go keeps the name of the frame buffer that a program opens."""
BUILT_IN = b"""\
kernel/drivers/net/virtio_net.ko
kernel/drivers/video/fbdev/simplefb.ko
kernel/drivers/gpu/drm/virtio/virtio-gpu.ko
"""
"""A kernel's list of the modules that are part of it."""


def cmdline(hostname: str, *, slot: int = 1, console: str = "ttyS0,115200") -> str:
    """A command line as gokrazy's packer writes it, with its 64 blanks."""
    root = f"root=PARTUUID={partuuid(hostname, 1)}/PARTNROFF={slot}"
    return f"console=tty1 console={console} {root} ro init=/gokrazy/init panic=10 oops=panic{' ' * 64}"


def build_info(package: str, *modules: tuple[str, str]) -> bytes:
    """The block that Go's linker embeds."""
    text = f"path\t{package}\n" + "".join(f"dep\t{path}\t{version}\th1:x=\n" for path, version in modules)
    wrapped = b"\x30" * 16 + text.encode() + b"\x31" * 16
    header = (b"\xff Go buildinf:" + bytes([8, 2])).ljust(32, b"\0")
    return header + _counted(b"go1.26.8") + _counted(wrapped)


def _counted(data: bytes) -> bytes:
    size, out = len(data), b""
    while size >= 0x80:
        out += bytes([size & 0x7F | 0x80])
        size >>= 7
    return out + bytes([size]) + data


def elf(arch: Arch = "amd64", *, variables: dict[str, str] | None = None, rest: bytes = b"") -> bytes:
    """An ELF64 program of one segment at 0x400000, with a symbol for each string variable."""
    base = 0x400000
    body = bytearray(64 + 56)
    symbols, names = [bytes(24)], b"\0"
    for name, value in (variables or {}).items():
        text_at = len(body)
        body += value.encode()
        body += bytes(-len(body) % 8)
        symbols.append(struct.pack("<IBBHQQ", len(names), 1, 0, 1, base + len(body), 16))
        names += name.encode() + b"\0"
        body += struct.pack("<QQ", base + text_at, len(value))
    body += bytes(-len(body) % 16) + rest
    table_at = len(body)
    body += b"".join(symbols)
    names_at = len(body)
    body += names + bytes(-(len(body) + len(names)) % 8)
    sections_at = len(body)
    body += bytes(64)
    body += struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, table_at, 24 * len(symbols), 2, 1, 8, 24)
    body += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    machine = {"amd64": 62, "arm64": 183}[arch]
    body[:64] = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        *(2, machine, 1, base, 64, sections_at, 0, 64, 56, 1, 64, 3, 0),
    )
    body[64:120] = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, len(body), len(body), 4096)
    return bytes(body)


def bzimage(release: str = "7.1.2") -> bytes:
    """As much of an x86 kernel as says its release."""
    kernel = bytearray(0x4000)
    kernel[0x202:0x206] = b"HdrS"
    kernel[0x236] = 1
    struct.pack_into("<H", kernel, 0x20E, 0x3000 - 0x200)
    text = f"{release} (user@host) #1 SMP\0".encode()
    kernel[0x3000 : 0x3000 + len(text)] = text
    return bytes(kernel)


def loader_code(*, carries: int) -> bytes:
    """As much of gokrazy's boot sector as tells how far it counts: into ``carries`` bytes above the lower word."""
    code = bytearray(b"\x90" * 440)
    table = 0x187
    destination = struct.pack("<H", 0x7C00 + table)
    step = b"\x81\x06" + destination + b"\x00\xfe"
    places = [struct.pack("<H", 0x7C00 + table + offset) for offset in (2, 5)][:carries]
    step += b"".join(b"\x80\x16" + place + b"\0" for place in places)
    code[0xC9 : 0xC9 + len(step)] = step
    code[table : table + 6] = b"\x00\x00\x10\x93\x00\x00"
    return bytes(code)


def pc_kernel(size: int, *, setup: int = 39) -> bytes:
    """The first KiB of a bzImage whose protected-mode part has ``size`` bytes."""
    head = bytearray(1024)
    head[0x1F1] = setup
    struct.pack_into("<I", head, 0x1F4, size // 16)
    head[0x202:0x206] = b"HdrS"
    return bytes(head)


def arm64_image(release: str = "7.1.3") -> bytes:
    """As much of an arm64 Image as says its release."""
    kernel = bytearray(0x2000)
    kernel[56:60] = b"ARM\x64"
    return bytes(kernel) + f"Linux version {release} (user@host) (gcc) #1 SMP\n\0".encode()


def zboot(image: bytes) -> bytes:
    """An arm64 Image in gzip in an EFI zboot wrapper."""
    payload = gzip.compress(image, mtime=0)
    header = b"MZ\0\0zimg" + struct.pack("<II", 64, len(payload)) + bytes(8) + b"gzip\0\0\0\0"
    return header.ljust(64, b"\0") + payload


def root_tree(hostname: str = "amd", arch: Arch = "amd64") -> Tree:
    """A root file system with everything that load.py looks for."""
    flags = b"-authorized_keys=/etc/breakglass.authorized_keysand what Go keeps behind it"
    init = elf(
        arch,
        variables={"main.buildTimestamp": STAMP},
        rest=build_info("command-line-arguments", ("github.com/gokrazy/gokrazy", "v0.0.1")) + flags,
    )
    tree = Tree()
    for name in ("bin", "dev", "etc", "lib", "mnt", "perm", "proc", "run", "sys", "tmp"):
        tree.add(f"/{name}", Dir())
    tree.add("/var", Link("/perm/var"))
    tree.add("/etc/hostname", File(hostname.encode()))
    tree.add("/etc/gokr-pw.txt", File(PASSWORD.encode(), 0o400))
    tree.add("/etc/http-port.txt", File(b"8080"))
    tree.add("/etc/https-port.txt", File(b"8443\n"))
    tree.add("/etc/breakglass.authorized_keys", File(b"ssh-ed25519 AAAA test\n", 0o644))
    tree.add("/gokrazy/init", File(init, 0o755))
    tree.add("/gokrazy/dhcp", File(elf(arch, rest=build_info("github.com/gokrazy/gokrazy/cmd/dhcp")), 0o755))
    tree.add("/user/hello", File(elf(arch, rest=build_info("example.com/hello") + DRAWS), 0o755))
    tree.add(
        "/user/rescue",
        File(
            elf(arch, rest=build_info("github.com/gokrazy/breakglass", ("golang.org/x/crypto", "v0.2.0"))), 0o755
        ),
    )
    tree.add("/user/serial-busybox", File(elf(arch), 0o755))
    tree.add("/lib/modules/7.1.3/modules.dep", File(b""))
    tree.add("/lib/modules/7.1.3/modules.builtin", File(BUILT_IN))
    return tree


def boot_files(line: str, kernel: bytes) -> list[tuple[str, bytes | Path]]:
    """A boot file system in the order of the real packer's."""
    loader = b"MZ" + bytes(3000) + b"#### LoaderInfo: systemd-boot 252.39-1~deb12u2 ####" + bytes(500)
    return [
        ("vmlinuz", kernel),
        ("cmdline.txt", line.encode()),
        ("loader/entries/gokrazy.conf", f"title gokrazy\nlinux /vmlinuz\noptions {line}".encode()),
        ("config.txt", b"\n"),
        ("EFI/BOOT/BOOTX64.EFI", loader),
        ("EFI/BOOT/BOOTAA64.EFI", loader + b"arm"),
    ]


def write_image(
    out: Path,
    folder: Path,
    *,
    hostname: str = "amd",
    arch: Arch = "amd64",
    tree: Tree | None = None,
    line: str | None = None,
    kernel: bytes | None = None,
    size: int = SMALLEST_DISK,
    boot_code: bytes = bytes(range(256)) + bytes(184),
    perm: PermState = "ext4",
) -> Path:
    """A whole gokrazy disk, made with the functions under test."""
    folder.mkdir(parents=True, exist_ok=True)
    kernel = kernel or (bzimage() if arch == "amd64" else arm64_image())
    places = write_fat(folder / "boot", boot_files(line or cmdline(hostname), kernel), mtime=MTIME)
    pack(tree or root_tree(hostname, arch), folder / "root", mtime=MTIME)
    write_disk(
        out,
        DiskParts(
            arch=arch,
            boot=folder / "boot",
            root=folder / "root",
            size=size,
            perm=perm,
            perm_seed=hostname,
            mtime=MTIME,
        ),
        hostname=hostname,
        boot_code=boot_code,
        vmlinuz=places["vmlinuz"],
        cmdline=places["cmdline.txt"],
    )
    return out
