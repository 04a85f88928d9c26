// Probe prints facts about the device that it runs on, as one JSON object. It
// is no service: it is copied to a device and run there, which shows that a
// static Go program of the right architecture can be.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

type facts struct {
	Uname   map[string]string `json:"uname"`
	Arch    string            `json:"arch"` // as Go names it: what this program was built for
	Cmdline string            `json:"cmdline"`
	Mounts  []mount           `json:"mounts"`
	UID     int               `json:"uid"`
	PID     int               `json:"pid"`
	Dir     string            `json:"dir"`
	Args    []string          `json:"args"`
	Env     []string          `json:"env"`
}

type mount struct {
	Device  string   `json:"device"`
	Path    string   `json:"path"`
	Type    string   `json:"type"`
	Options []string `json:"options"`
}

func main() {
	f, err := gather()
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(f); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func gather() (*facts, error) {
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, err
	}
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return &facts{
		Uname: map[string]string{
			"sysname":  text(u.Sysname[:]),
			"nodename": text(u.Nodename[:]),
			"release":  text(u.Release[:]),
			"version":  text(u.Version[:]),
			"machine":  text(u.Machine[:]),
		},
		Arch:    runtime.GOARCH,
		Cmdline: strings.TrimSpace(string(cmdline)),
		Mounts:  mounts(string(table)),
		UID:     os.Getuid(),
		PID:     os.Getpid(),
		Dir:     dir,
		Args:    os.Args,
		Env:     os.Environ(),
	}, nil
}

// text reads a C string; its bytes are signed on some architectures.
func text[T int8 | uint8](field []T) string {
	var b strings.Builder
	for _, c := range field {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

// mounts reads a table in the format of /proc/mounts.
func mounts(table string) []mount {
	var all []mount
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		all = append(all, mount{Device: f[0], Path: f[1], Type: f[2], Options: strings.Split(f[3], ",")})
	}
	return all
}
