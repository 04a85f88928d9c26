// Panic-kernel makes the kernel panic, after what was written is on the disk.
// It is started by hand, through gokrazy's web interface.
package main

import (
	"log"
	"os"
	"syscall"

	"gokrazy.test/programs/internal/service"
)

const sysrq = "/proc/sysrq-trigger"

func main() {
	service.Log("panic-kernel")

	// The console shows what goes to the kernel's log; a service's output it does not.
	const farewell = "panic-kernel: asking for a kernel panic"
	if err := os.WriteFile("/dev/kmsg", []byte(farewell+"\n"), 0); err != nil {
		log.Printf("writing to the kernel's log: %v", err)
	}
	log.Print("syncing, then asking for a kernel panic")
	syscall.Sync()
	if err := os.WriteFile(sysrq, []byte("c"), 0); err != nil {
		log.Fatalf("%s: %v", sysrq, err)
	}
	log.Fatalf("%s took the request, and the kernel lives on", sysrq)
}
