// Panic-forever panics 300 milliseconds after each start.
package main

import (
	"log"
	"time"

	"gokrazy.test/programs/internal/service"
)

func main() {
	n := service.Start("panic-forever")
	log.Printf("start %d, panicking soon", n)
	time.Sleep(300 * time.Millisecond)
	panic("panic-forever: on purpose, at every start")
}
