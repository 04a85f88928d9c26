// Fork starts a child in its own process group and exits at once with status
// 1; the child ends some seconds later. gokrazy waits for the whole group, so
// it starts the program again only after the child has ended. It is started by
// hand.
package main

import (
	"flag"
	"log"
	"os"
	"os/exec"
	"time"

	"gokrazy.test/programs/internal/service"
)

var (
	lifetime = flag.Duration("lifetime", 5*time.Second, "how long the child lives")
	status   = flag.Int("status", 1, "the exit status of the parent")
	child    = flag.Bool("child", false, "be the child")
)

func main() {
	flag.Parse()
	if *child {
		time.Sleep(*lifetime)
		return
	}
	n := service.Start("fork")
	cmd := exec.Command("/proc/self/exe", "-child", "-lifetime="+lifetime.String())
	// The child gets /dev/null for its output: holding the parent's would make
	// gokrazy wait for the end of the output, not for the group.
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	log.Printf("start %d, child %d lives for %v, exiting with status %d", n, cmd.Process.Pid, *lifetime, *status)
	os.Exit(*status)
}
