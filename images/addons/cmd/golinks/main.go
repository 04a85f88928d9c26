// Golinks is the link shortener as a node of a tailnet, under a name of its
// own: whoever is there too asks for http://go/NAME. It joins by tsnet with
// the auth key in TS_AUTHKEY, and listens nowhere else. What it serves is that
// of the package links.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	"gokrazy.test/services/links"
	"tailscale.com/tsnet"
)

// patience is how long joining may take: the network may come up later.
const patience = 5 * time.Minute

func main() {
	hostname := flag.String("hostname", "go", "name on the tailnet")
	control := flag.String("control-url", "", "where to log in, if not at Tailscale's control server")
	path := flag.String("sqlitedb", "", "file of the database")
	config := flag.String("config-dir", "", "folder for what makes it the same node after a restart")
	flag.Parse()

	log.SetOutput(os.Stdout)
	log.SetFlags(0)
	log.SetPrefix("golinks: ")

	if *path == "" || *config == "" {
		log.Fatal("-sqlitedb names no file, or -config-dir no folder")
	}
	kept, err := links.Open(*path, "FULL")
	if err != nil {
		log.Fatal(err)
	}
	node := &tsnet.Server{Hostname: *hostname, ControlURL: *control, Dir: *config, UserLogf: log.Printf}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := node.Up(ctx); err != nil {
		log.Fatal(err)
	}
	listener, err := node.Listen("tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	address, _ := node.TailscaleIPs()
	owner := os.Getenv("LINKS_OWNER")
	log.Printf("serving %s for %s at http://%s (%s), pid %d", *path, owner, *hostname, address, os.Getpid())
	server := &http.Server{Handler: links.Handler(kept, owner), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}
