// Exit-125 says which start this is and exits with status 125: the wish not to
// be supervised, gokrazy must not start it again.
package main

import (
	"log"
	"os"

	"gokrazy.test/programs/internal/service"
)

func main() {
	n := service.Start("exit-125")
	log.Printf("start %d, exiting with status 125", n)
	os.Exit(125)
}
