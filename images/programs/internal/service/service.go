// Package service is what the programs that crash have in common: how they
// log, count their starts, and stay up.
package service

import (
	"log"
	"os"
	"time"

	"gokrazy.test/programs/internal/counter"
)

// Start makes the program log to standard output under its name, and returns
// which of its starts since the boot this is: 1 for the first.
func Start(name string) uint64 {
	Log(name)
	n, err := count("/tmp", name)
	if err != nil {
		log.Fatalf("counting the starts: %v", err)
	}
	return n
}

// Log makes the program log to standard output under its name.
func Log(name string) {
	log.SetOutput(os.Stdout)
	log.SetFlags(0)
	log.SetPrefix(name + ": ")
}

// StayUp never returns. It sleeps instead of blocking, because Go ends a
// program in which everything is blocked.
func StayUp() {
	for {
		time.Sleep(time.Hour)
	}
}

// count counts in a folder that gokrazy keeps in memory, hence from the boot.
func count(dir, name string) (uint64, error) {
	return counter.At(dir + "/starts-" + name).Increment()
}
