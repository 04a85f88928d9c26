// Agent is a guest agent for QEMU: it answers, on the channel that QEMU offers
// under the name org.qemu.guest_agent.0, the commands of QEMU's own agent that
// make sense on a gokrazy device. It waits for the channel where there is none
// yet: one may be plugged in later.
//
//	guest-sync, guest-sync-delimited, guest-ping, guest-info
//	guest-network-get-interfaces
//	guest-fsfreeze-status, guest-fsfreeze-freeze, guest-fsfreeze-thaw   (/perm)
//	guest-exec, guest-exec-status
//	guest-shutdown   (mode powerdown, halt or reboot; answers nothing)
package main

import (
	"errors"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gokrazy.test/programs/internal/service"
)

const (
	channel = "org.qemu.guest_agent.0"
	ports   = "/sys/class/virtio-ports"
)

func main() {
	service.Log("agent")
	a := &agent{commands: map[int]*command{}, system: device{}}
	said := false
	for {
		name, err := find(ports)
		if err != nil {
			if !said {
				log.Printf("waits: %v", err)
				said = true
			}
			time.Sleep(time.Second)
			continue
		}
		said = false
		if err := a.answerOn(filepath.Join("/dev", name)); err != nil {
			log.Print(err)
		}
		// Nobody is at the other end, or the channel is gone.
		time.Sleep(time.Second)
	}
}

// find returns the device whose channel has the name of QEMU's guest agent.
func find(folder string) (string, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*", "name"))
	if err != nil {
		return "", err
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err == nil && strings.TrimSpace(string(content)) == channel {
			return filepath.Base(filepath.Dir(name)), nil
		}
	}
	return "", errors.New("no channel of the virtual machine is called " + channel)
}

// answerOn answers all that comes on a channel, until that ends.
func (a *agent) answerOn(path string) error {
	both, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer both.Close()
	log.Printf("answers on %s", path)
	return a.serve(both)
}
