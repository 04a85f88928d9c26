// Killed runs for ever and handles no signal, so that any signal that ends a
// program ends it.
package main

import (
	"log"
	"os"

	"gokrazy.test/programs/internal/service"
)

func main() {
	n := service.Start("killed")
	log.Printf("start %d, running as pid %d until killed", n, os.Getpid())
	service.StayUp()
}
