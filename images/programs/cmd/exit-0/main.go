// Exit-0 says which start this is and exits with status 0: work done, gokrazy
// must not start it again.
package main

import (
	"log"

	"gokrazy.test/programs/internal/service"
)

func main() {
	n := service.Start("exit-0")
	log.Printf("start %d, exiting with status 0", n)
}
