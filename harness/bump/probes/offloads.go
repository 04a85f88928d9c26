// offloads prints what each network card does in place of the kernel, as ethtool -k does: a driver that stalls with
// large segments is often one that lost or won one of these.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"
)

const siocEthtool = 0x8946

// Of include/uapi/linux/ethtool.h.
var offloads = []struct {
	command uint32
	title   string
}{
	{0x14, "receive checksums"},
	{0x16, "transmit checksums"},
	{0x18, "scatter and gather"},
	{0x1e, "TCP segmentation"},
	{0x23, "generic segmentation"},
	{0x2b, "generic receive"},
}

type value struct{ command, data uint32 }

type request struct {
	name [16]byte
	data unsafe.Pointer
	_    [16]byte
}

func main() {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		fmt.Printf("bad\tasking the network cards\t%v\n", err)
		return
	}
	cards, _ := filepath.Glob("/sys/class/net/*/device/driver")
	for _, path := range cards {
		driver, err := os.Readlink(path)
		if err != nil {
			continue
		}
		name := filepath.Base(filepath.Dir(filepath.Dir(path)))
		for _, one := range offloads {
			asked := value{command: one.command}
			ask := request{data: unsafe.Pointer(&asked)}
			copy(ask.name[:15], name)
			if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), siocEthtool, uintptr(unsafe.Pointer(&ask))); errno != 0 {
				continue
			}
			state := map[bool]string{true: "on", false: "off"}[asked.data != 0]
			fmt.Printf("setting\t%s of %s, %s\t%s\n", one.title, name, filepath.Base(driver), state)
		}
	}
}
