package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gokrazy.test/programs/internal/counter"
)

func newServer(t *testing.T) (*server, string) {
	t.Helper()
	dir := t.TempDir()
	return &server{
		counter:      counter.At(filepath.Join(dir, "hello", "counter")),
		releaseFiles: []string{filepath.Join(dir, "first"), filepath.Join(dir, "second")},
		mounts:       filepath.Join(dir, "mounts"),
		started:      time.Now(),
	}, dir
}

func ask(t *testing.T, s *server, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	logged(s.routes()).ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCounter(t *testing.T) {
	s, _ := newServer(t)
	for _, step := range []struct{ method, want string }{
		{"GET", "0\n"}, {"POST", "1\n"}, {"POST", "2\n"}, {"GET", "2\n"},
	} {
		code, body := ask(t, s, step.method, "/counter")
		if code != 200 || body != step.want {
			t.Errorf("%s /counter = %d %q; want 200 %q", step.method, code, body, step.want)
		}
	}
}

func TestCounterThatCannotBeKeptIsAServerError(t *testing.T) {
	s, dir := newServer(t)
	write(t, filepath.Join(dir, "hello"), "a file where the folder should be")
	if code, body := ask(t, s, "POST", "/counter"); code != 500 {
		t.Errorf("POST /counter = %d %q; want 500", code, body)
	}
}

func TestRelease(t *testing.T) {
	s, dir := newServer(t)
	if code, body := ask(t, s, "GET", "/release"); code != 404 {
		t.Errorf("without a file: %d %q; want 404", code, body)
	}
	write(t, filepath.Join(dir, "second"), "two\n")
	if code, body := ask(t, s, "GET", "/release"); code != 200 || body != "two\n" {
		t.Errorf("with the second file: %d %q; want 200 \"two\\n\"", code, body)
	}
	write(t, filepath.Join(dir, "first"), "one\n")
	if code, body := ask(t, s, "GET", "/release"); code != 200 || body != "one\n" {
		t.Errorf("with both files: %d %q; want 200 \"one\\n\"", code, body)
	}
}

func TestRootIsTheLastMountOverSlash(t *testing.T) {
	s, dir := newServer(t)
	write(t, filepath.Join(dir, "mounts"), "rootfs / rootfs rw 0 0\n"+
		"/dev/root / squashfs ro,relatime,errors=continue 0 0\n"+
		"/dev/vda4 /perm ext4 rw,relatime 0 0\n")
	code, body := ask(t, s, "GET", "/root")
	var got mount
	if err := json.Unmarshal([]byte(body), &got); code != 200 || err != nil {
		t.Fatalf("GET /root = %d %q (%v)", code, body, err)
	}
	if got.Device != "/dev/root" || got.Type != "squashfs" || !got.ReadOnly || got.Number == "" {
		t.Errorf("GET /root = %+v", got)
	}
	write(t, filepath.Join(dir, "mounts"), "/dev/vda4 /perm ext4 rw 0 0\n")
	if code, body := ask(t, s, "GET", "/root"); code != 500 {
		t.Errorf("without a root: %d %q; want 500", code, body)
	}
}

func TestDeviceNumber(t *testing.T) {
	for dev, want := range map[uint64]string{0xfe03: "254:3", 0xb303: "179:3", 0x10000103: "1:65539"} {
		if got := deviceNumber(dev); got != want {
			t.Errorf("deviceNumber(%#x) = %s, want %s", dev, got, want)
		}
	}
}

func TestAnswersInJSON(t *testing.T) {
	s, _ := newServer(t)
	for path, key := range map[string]string{"/clock": "now", "/whoami": "boot_id"} {
		code, body := ask(t, s, "GET", path)
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); code != 200 || err != nil || got[key] == nil {
			t.Errorf("GET %s = %d %q (%v); want %s in it", path, code, body, err, key)
		}
	}
}

func TestGreetingAndUnknownPaths(t *testing.T) {
	s, _ := newServer(t)
	if code, body := ask(t, s, "GET", "/"); code != 200 || !strings.HasPrefix(body, "hello from ") {
		t.Errorf("GET / = %d %q", code, body)
	}
	if code, _ := ask(t, s, "GET", "/nothing"); code != http.StatusNotFound {
		t.Errorf("GET /nothing = %d; want 404", code)
	}
	if code, _ := ask(t, s, "POST", "/release"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST /release = %d; want 405", code)
	}
}
