// Leak allocates memory and writes to it, a MiB at a time, up to a bound, and
// then holds it. It is started by hand.
package main

import (
	"flag"
	"log"
	"time"

	"gokrazy.test/programs/internal/service"
)

const mib = 1 << 20

var (
	limit = flag.Int("limit", 64, "how many MiB to take")
	pace  = flag.Duration("pace", 50*time.Millisecond, "how long to wait after each MiB")
)

func main() {
	flag.Parse()
	service.Log("leak")

	log.Printf("taking up to %d MiB", *limit)
	held := make([][]byte, 0, *limit)
	for len(held) < *limit {
		block := make([]byte, mib)
		for i := range block {
			block[i] = 1 // memory counts as taken only when it is written to
		}
		held = append(held, block)
		if len(held)%8 == 0 {
			log.Printf("holding %d MiB", len(held))
		}
		time.Sleep(*pace)
	}
	log.Printf("reached the bound, holding %d MiB", len(held))
	wait(held)
}

// wait never returns, and keeps what it is given from being collected.
func wait(held [][]byte) {
	for range time.Tick(time.Hour) {
		log.Printf("still holding %d MiB", len(held))
	}
}
