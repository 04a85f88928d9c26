"""The init program of an image: a small Go program, generated from the services that it is to start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.image.model import Service

_STARTERS = {
    "boot": "gokrazy.NewService",
    "manual": "gokrazy.NewStoppedService",
    "after-clock": "gokrazy.NewWaitForClockService",
}

_HEAD = """\
// Code generated from config.json. DO NOT EDIT.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/gokrazy/gokrazy"
)

const buildTimestamp = {timestamp}

func command(path string, args, env []string) *exec.Cmd {{
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}}

func main() {{
	log.SetFlags(log.LstdFlags | log.Lshortfile)
	// The first line that init prints: it tells apart a kernel that starts init from one that does not.
	fmt.Printf("gokrazy build timestamp %s\\n", buildTimestamp)
	if err := gokrazy.Boot(buildTimestamp); err != nil {{
		log.Fatal(err)
	}}
	if hostname, err := os.Hostname(); err == nil {{
		fmt.Printf("hostname %q\\n", hostname)
	}}
	if model := gokrazy.Model(); model != "" {{
		fmt.Printf("gokrazy device model %s\\n", model)
	}}
	services := []*gokrazy.Service{{
"""

_TAIL = """\
	}
	if err := gokrazy.SuperviseServices(services); err != nil {
		log.Fatal(err)
	}
	select {}
}
"""


def init_source(services: Sequence[Service], environment: Mapping[str, Sequence[str]], *, timestamp: str) -> str:
    """The source of init: prints ``timestamp`` and starts the services in this order.

    ``environment`` maps a service's path to the key=value pairs that it gets on top of init's own.
    """
    lines = [_HEAD.format(timestamp=go_string(timestamp))]
    for service in services:
        arguments = ", ".join(
            [go_string(service.path), _strings(service.args), _strings(environment.get(service.path, ()))]
        )
        lines.append(f"\t\t{_STARTERS[service.starts]}(command({arguments})),\n")
    return "".join([*lines, _TAIL])


def _strings(values: Sequence[str]) -> str:
    return f"[]string{{{', '.join(map(go_string, values))}}}" if values else "nil"


def go_string(text: str) -> str:
    """A Go string literal."""
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(char: str) -> str:
    code = ord(char)
    if char in '"\\':
        return "\\" + char
    if 0x20 <= code < 0x7F:
        return char
    if 0xD800 <= code < 0xE000:  # a lone surrogate, which Go's JSON reader replaces as well
        return "\\ufffd"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
