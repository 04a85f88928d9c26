// Mkfs stands in for github.com/gokrazy/mkfs: where /perm is not mounted, it
// formats the fourth partition and has the device reboot, so that init mounts it.
// The real one brings mke2fs along; this one takes that of serial-busybox.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	busybox = "/usr/local/bin/busybox"
	socket  = "/run/gokrazy-http.sock"
	// What tells gokrazy not to start a program again.
	done = 125
)

func main() {
	if err := format(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(done)
}

func format() error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == "/perm" {
			log.Print("/perm is mounted already, nothing to do")
			return nil
		}
	}
	device, err := perm()
	if err != nil {
		return err
	}
	log.Printf("/perm is not mounted: making a file system on %s", device)
	mke2fs := exec.Command(busybox, "mke2fs", "-F", device)
	mke2fs.Stdout, mke2fs.Stderr = os.Stdout, os.Stderr
	if err := mke2fs.Run(); err != nil {
		return fmt.Errorf("%v: %v", mke2fs.Args, err)
	}
	log.Print("asking for a reboot, so that /perm is mounted")
	return reboot()
}

// perm finds the fourth partition of the one disk that has so many.
func perm() (string, error) {
	files, err := filepath.Glob("/sys/class/block/*/partition")
	if err != nil {
		return "", err
	}
	for _, file := range files {
		if number, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(number)) == "4" {
			return "/dev/" + filepath.Base(filepath.Dir(file)), nil
		}
	}
	return "", errors.New("no disk has a fourth partition")
}

func reboot() error {
	password, err := os.ReadFile("/etc/gokr-pw.txt")
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, "http://unix/reboot", nil)
	if err != nil {
		return err
	}
	request.SetBasicAuth("gokrazy", strings.TrimSpace(string(password)))
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the device does not reboot: %s", response.Status)
	}
	return nil
}
