// Appliance tells what it was made from, and stays up.
package main

import (
	"fmt"
	"log"
	"time"

	"example.test/library"
	"golang.org/x/sys/unix"
)

func main() {
	var system unix.Utsname
	if err := unix.Uname(&system); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("with %s on Linux %s\n", library.Name, unix.ByteSliceToString(system.Release[:]))
	for {
		time.Sleep(time.Minute)
	}
}
