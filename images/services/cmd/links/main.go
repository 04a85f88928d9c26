// Links serves a link shortener, as the package links has it, at /debug/pprof/
// beside profiles and traces of this program, by net/http/pprof.
//
// With -backup FILE it serves nobody: it copies the database into that file,
// while another process may write to it, and ends.
package main

import (
	"flag"
	"log"
	"net/http"
	_ "net/http/pprof"
	"os"
	"time"

	"gokrazy.test/services/links"
)

func main() {
	listen := flag.String("listen", ":8081", "where to serve")
	path := flag.String("sqlitedb", "", "file of the database")
	copied := flag.String("backup", "", "copy the database into this new file, and end")
	hard := flag.String("synchronous", "FULL", "when SQLite calls a change kept; with OFF a power cut may lose it")
	flag.Parse()

	log.SetOutput(os.Stdout)
	log.SetFlags(0)
	log.SetPrefix("links: ")

	if *path == "" {
		log.Fatal("-sqlitedb names no file")
	}
	kept, err := links.Open(*path, *hard)
	if err != nil {
		log.Fatal(err)
	}
	if *copied != "" {
		if err := kept.Backup(*copied); err != nil {
			log.Fatal(err)
		}
		return
	}
	owner := os.Getenv("LINKS_OWNER")
	http.Handle("/", links.Handler(kept, owner)) // beside what net/http/pprof has put there
	log.Printf("serving %s for %s at %s, pid %d", *path, owner, time.Now().UTC().Format(time.RFC3339), os.Getpid())
	log.Fatal((&http.Server{Addr: *listen, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
