package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"gokrazy.test/programs/internal/counter"
)

type server struct {
	counter      *counter.Counter
	releaseFiles []string
	mounts       string // a file in the format of /proc/mounts
	started      time.Time
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.greet)
	mux.HandleFunc("GET /counter", s.count(s.counter.Value))
	mux.HandleFunc("POST /counter", s.count(s.counter.Increment))
	mux.HandleFunc("GET /release", s.release)
	mux.HandleFunc("GET /clock", s.clock)
	mux.HandleFunc("GET /whoami", s.whoami)
	mux.HandleFunc("GET /root", s.root)
	return mux
}

func (s *server) greet(w http.ResponseWriter, _ *http.Request) {
	name, err := os.Hostname()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "hello from %s\n", name)
}

func (s *server) count(do func() (uint64, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		n, err := do()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%d\n", n)
	}
}

func (s *server) release(w http.ResponseWriter, _ *http.Request) {
	for _, file := range s.releaseFiles {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write(b)
		return
	}
	http.Error(w, "this image has no release file", http.StatusNotFound)
}

func (s *server) clock(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	answer(w, map[string]any{
		"now":  now.UTC().Format(time.RFC3339Nano),
		"unix": float64(now.UnixMicro()) / 1e6,
	})
}

func (s *server) whoami(w http.ResponseWriter, _ *http.Request) {
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{
		"pid":            os.Getpid(),
		"started":        s.started.UTC().Format(time.RFC3339Nano),
		"uptime_seconds": time.Since(s.started).Seconds(),
		"boot_id":        strings.TrimSpace(string(bootID)),
	})
}

func (s *server) root(w http.ResponseWriter, _ *http.Request) {
	table, err := os.ReadFile(s.mounts)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	m, err := rootMount(string(table))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var st syscall.Stat_t
	if err := syscall.Stat("/", &st); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	m.Number = deviceNumber(uint64(st.Dev))
	answer(w, m)
}

// mount is the root file system as /proc/mounts has it. The device there is
// always /dev/root; Number ("179:3") tells which partition it is.
type mount struct {
	Device   string   `json:"device"`
	Number   string   `json:"number"`
	Type     string   `json:"type"`
	Options  []string `json:"options"`
	ReadOnly bool     `json:"read_only"`
}

// rootMount finds the root file system in a table of mounts: the last line
// for "/", because that is the one that hides the others.
func rootMount(table string) (mount, error) {
	var found *mount
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || f[1] != "/" {
			continue
		}
		options := strings.Split(f[3], ",")
		found = &mount{Device: f[0], Type: f[2], Options: options, ReadOnly: slices.Contains(options, "ro")}
	}
	if found == nil {
		return mount{}, errors.New("the table of mounts has no line for /")
	}
	return *found, nil
}

// deviceNumber writes a device number of Linux as "major:minor".
func deviceNumber(dev uint64) string {
	major := dev>>8&0xfff | dev>>32&^0xfff
	minor := dev&0xff | dev>>12&0xffffff00
	return fmt.Sprintf("%d:%d", major, minor)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Printf("writing an answer: %v", err)
	}
}

// logged logs a line for each request, with the status of its answer.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		log.Printf("%s %s %d", r.Method, r.URL.Path, rec.status)
	})
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
