// Panic-once panics at its first start after a boot and stays up from the
// second on.
package main

import (
	"log"

	"gokrazy.test/programs/internal/service"
)

func main() {
	n := service.Start("panic-once")
	if n == 1 {
		log.Print("start 1, panicking")
		panic("panic-once: on purpose, at the first start")
	}
	log.Printf("start %d, staying up", n)
	service.StayUp()
}
