// Visitor runs on a device for a while, without being part of its image. It
// says what it was started as, counts the seconds, and says who ends it.
package main

import (
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gokrazy.test/programs/internal/service"
)

func main() {
	service.Log("visitor")

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	log.Printf("runs as %s with %q, pid %d", os.Args[0], os.Args[1:], os.Getpid())
	tick := time.Tick(time.Second)
	for n := 1; ; n++ {
		select {
		case <-tick:
			log.Printf("second %d", n)
		case s := <-stop:
			log.Printf("leaves on %s", s)
			return
		}
	}
}
