package main

import (
	"fmt"
	"os"
	"syscall"
)

const (
	perm = "/perm"
	// Of linux/fs.h: _IOWR('X', 119, int) and _IOWR('X', 120, int).
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

// device is the one that this program runs on.
type device struct{}

func (device) interfaces() ([]netInterface, error) { return listed() }

func (device) freeze() error { return onPerm(fiFreeze, "freeze") }

func (device) thaw() error { return onPerm(fiThaw, "thaw") }

func onPerm(request uintptr, what string) error {
	folder, err := os.Open(perm)
	if err != nil {
		return err
	}
	defer folder.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, folder.Fd(), request, 0); errno != 0 {
		return fmt.Errorf("failed to %s %s: %v", what, perm, errno)
	}
	return nil
}

// shutdown has the kernel end the device once what was written is on the disk.
// gokrazy's init has no way but its web interface to be asked for a reboot, and
// none for a power-off, so the services are not ended first.
func (device) shutdown(mode string) error {
	how, known := map[string]int{
		"":          syscall.LINUX_REBOOT_CMD_POWER_OFF,
		"powerdown": syscall.LINUX_REBOOT_CMD_POWER_OFF,
		"halt":      syscall.LINUX_REBOOT_CMD_HALT,
		"reboot":    syscall.LINUX_REBOOT_CMD_RESTART,
	}[mode]
	if !known {
		return fmt.Errorf("mode is invalid (valid values are: halt|powerdown|reboot)")
	}
	syscall.Sync()
	return syscall.Reboot(how)
}
