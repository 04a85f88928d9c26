// Hang runs for ever and ignores SIGTERM: only SIGKILL ends it. While it runs,
// a reboot takes as long as gokrazy waits for services (100 seconds unless the
// request says otherwise), which is why the instances do not start it at boot.
package main

import (
	"log"
	"os"
	"os/signal"
	"syscall"

	"gokrazy.test/programs/internal/service"
)

func main() {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	n := service.Start("hang")
	log.Printf("start %d, ignoring SIGTERM as pid %d", n, os.Getpid())
	for range terminated {
		log.Print("got SIGTERM, staying up")
	}
}
