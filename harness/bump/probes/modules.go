// modules loads every module of the running kernel, those that others need first, and says of each whether it did.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// The system call finit_module, by architecture.
var finitModule = map[string]uintptr{"amd64": 313, "arm64": 273}

func load(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var flags uintptr
	for _, packed := range []string{".xz", ".gz", ".zst"} {
		if strings.HasSuffix(path, packed) {
			flags = 4 // MODULE_INIT_COMPRESSED_FILE
		}
	}
	empty := []byte{0}
	_, _, code := syscall.Syscall(finitModule[runtime.GOARCH], file.Fd(), uintptr(unsafe.Pointer(&empty[0])), flags)
	if code != 0 && code != syscall.EEXIST {
		return code
	}
	return nil
}

func main() {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		fmt.Printf("bad\trelease of the kernel\t%v\n", err)
		return
	}
	folder := filepath.Join("/lib/modules", strings.TrimSpace(string(release)))
	table, err := os.Open(filepath.Join(folder, "modules.dep"))
	if err != nil {
		if others, _ := os.ReadDir("/lib/modules"); len(others) > 0 {
			fmt.Printf("bad\tmodules of this kernel\tthe root file system has modules, and none of %s\n", strings.TrimSpace(string(release)))
		}
		return
	}
	needs := map[string][]string{}
	var order []string
	lines := bufio.NewScanner(table)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, rest, found := strings.Cut(lines.Text(), ":")
		if found {
			needs[name] = strings.Fields(rest)
			order = append(order, name)
		}
	}
	for _, name := range order {
		// modules.dep names what a module needs, the most basic last.
		var failed error
		for number := len(needs[name]) - 1; number >= 0 && failed == nil; number-- {
			failed = load(filepath.Join(folder, needs[name][number]))
		}
		if failed == nil {
			failed = load(filepath.Join(folder, name))
		}
		title, _, _ := strings.Cut(filepath.Base(name), ".")
		switch failed {
		case nil:
			fmt.Printf("ok\tmodule %s loads\t\n", title)
		case syscall.ENODEV, syscall.ENXIO:
			// It loads where its hardware is.
			fmt.Printf("ok\tmodule %s loads\tit finds no hardware\n", title)
		default:
			fmt.Printf("bad\tmodule %s loads\t%v\n", title, failed)
		}
	}
}
