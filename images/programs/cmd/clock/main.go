// Clock logs the time at its start and every ten seconds. The instances have
// gokrazy start it only when the clock is set (WaitForClock), so a time before
// 1971 in its log is a fault.
package main

import (
	"log"
	"time"

	"gokrazy.test/programs/internal/service"
)

func main() {
	service.Log("clock")

	log.Printf("started at %s", time.Now().UTC().Format(time.RFC3339))
	for now := range time.Tick(10 * time.Second) {
		log.Printf("it is %s", now.UTC().Format(time.RFC3339))
	}
}
