// Links is a link shortener: it keeps short names of addresses in an SQLite
// database, and redirects whoever asks for a name.
//
//	GET    /             all names with their addresses and visits, JSON
//	GET    /NAME         redirects to the address of the name, and counts the visit
//	PUT    /NAME         keeps the address that the body holds; answers once it is on the disk
//	DELETE /NAME         forgets the name
//	GET    /.check       what SQLite says of the database's integrity, and of how it is kept, JSON
//	GET    /debug/pprof/ profiles and traces of this program, by net/http/pprof
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
	kept, err := open(*path, *hard)
	if err != nil {
		log.Fatal(err)
	}
	if *copied != "" {
		if err := kept.backup(*copied); err != nil {
			log.Fatal(err)
		}
		return
	}
	s := &server{links: kept, owner: os.Getenv("LINKS_OWNER")}
	http.Handle("/", s.routes()) // beside what net/http/pprof has put there
	log.Printf("serving %s for %s at %s, pid %d", *path, s.owner, time.Now().UTC().Format(time.RFC3339), os.Getpid())
	log.Fatal((&http.Server{Addr: *listen, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
