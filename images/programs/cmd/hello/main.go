// Hello is the program of the hello instances: an HTTP server on port 8080
// that tells what the device is and keeps a counter.
//
//	GET  /         greeting with the host name, text
//	GET  /counter  the counter kept in /perm/hello/counter, text
//	POST /counter  adds one; answers the new number once it is on the disk
//	GET  /release  what the image calls itself, text; 404 if it says nothing
//	GET  /clock    the device's time, JSON
//	GET  /whoami   this process and the boot it runs in, JSON
//	GET  /root     the mounted root file system, JSON
//
// It logs a line at the start and a line a request to standard output.
package main

import (
	"log"
	"net/http"
	"os"
	"time"

	"gokrazy.test/programs/internal/counter"
)

const (
	address     = ":8080"
	counterFile = "/perm/hello/counter"
)

// releaseFiles say what the image calls itself; the first that exists counts.
var releaseFiles = []string{"/etc/hello-release", "/etc/gokrazy-harness/release"}

func main() {
	log.SetOutput(os.Stdout)
	log.SetFlags(0)
	log.SetPrefix("hello: ")

	s := &server{
		counter:      counter.At(counterFile),
		releaseFiles: releaseFiles,
		mounts:       "/proc/self/mounts",
		started:      time.Now(),
	}
	log.Printf("serving on %s, pid %d", address, os.Getpid())
	server := &http.Server{
		Addr:              address,
		Handler:           logged(s.routes()),
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}
