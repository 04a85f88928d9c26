package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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

// shutdown asks gokrazy's init, which ends the services first, as the web
// interface does; where that is not possible, the kernel ends the device once
// what was written is on the disk.
func (device) shutdown(mode string) error {
	path, how := "/poweroff", syscall.LINUX_REBOOT_CMD_POWER_OFF
	switch mode {
	case "", "powerdown":
	case "halt":
		path, how = "", syscall.LINUX_REBOOT_CMD_HALT
	case "reboot":
		path, how = "/reboot", syscall.LINUX_REBOOT_CMD_RESTART
	default:
		return errors.New("mode is invalid (valid values are: halt|powerdown|reboot)")
	}
	if path != "" {
		err := askInit(path)
		if err == nil {
			return nil
		}
		log.Printf("init does not take %s: %v", path, err)
	}
	syscall.Sync()
	return syscall.Reboot(how)
}

// askInit posts to the web interface by its Unix socket.
func askInit(path string) error {
	request, err := http.NewRequest(http.MethodPost, "http://gokrazy"+path, nil)
	if err != nil {
		return err
	}
	for _, folder := range []string{"/perm", "/etc"} {
		if password, err := os.ReadFile(filepath.Join(folder, "gokr-pw.txt")); err == nil {
			request.SetBasicAuth("gokrazy", strings.TrimSpace(string(password)))
			break
		}
	}
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", "/run/gokrazy-http.sock")
		},
	}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", answer.Status)
	}
	return nil
}
