package links

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
)

// longest is how many bytes an address may have.
const longest = 8 << 10

type server struct {
	links *Links
	owner string
}

// Handler serves links over HTTP. The owner is who the instance says that
// they are for.
//
//	GET    /       all names with their addresses and visits, JSON
//	GET    /NAME   redirects to the address of the name, and counts the visit
//	PUT    /NAME   keeps the address that the body holds; answers once it is on the disk
//	DELETE /NAME   forgets the name
//	GET    /.check what SQLite says of the database's integrity, and of how it is kept, JSON
func Handler(kept *Links, owner string) http.Handler {
	s := &server{kept, owner}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.list)
	mux.HandleFunc("GET /.check", s.check)
	mux.HandleFunc("GET /{name}", s.visit)
	mux.HandleFunc("PUT /{name}", s.put)
	mux.HandleFunc("DELETE /{name}", s.drop)
	return mux
}

func (s *server) list(w http.ResponseWriter, _ *http.Request) {
	found, err := s.links.all()
	if failed(w, err) {
		return
	}
	answer(w, map[string]any{"owner": s.owner, "links": found})
}

func (s *server) check(w http.ResponseWriter, _ *http.Request) {
	found, err := s.links.check()
	if failed(w, err) {
		return
	}
	answer(w, found)
}

func (s *server) visit(w http.ResponseWriter, r *http.Request) {
	address, err := s.links.visit(r.PathValue("name"))
	if failed(w, err) {
		return
	}
	http.Redirect(w, r, address, http.StatusFound)
}

func (s *server) put(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longest))
	address, wrong := url.Parse(strings.TrimSpace(string(body)))
	if err != nil || wrong != nil || address.Host == "" || strings.HasPrefix(name, ".") {
		http.Error(w, "a link is a name without a dot in front, and a whole address", http.StatusBadRequest)
		return
	}
	if failed(w, s.links.put(name, address.String())) {
		return
	}
	log.Printf("%s leads to %s", name, address)
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) drop(w http.ResponseWriter, r *http.Request) {
	if failed(w, s.links.drop(r.PathValue("name"))) {
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// failed answers an error, if there is one.
func failed(w http.ResponseWriter, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, errUnknown):
		http.Error(w, err.Error(), http.StatusNotFound)
	default:
		log.Print(err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	return true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Printf("writing an answer: %v", err)
	}
}
