package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func served(t *testing.T, path string) *server {
	t.Helper()
	kept, err := open(path, "FULL")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	return &server{links: kept, owner: "tests"}
}

func ask(t *testing.T, s *server, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.routes().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

func TestALinkIsKeptVisitedAndForgotten(t *testing.T) {
	s := served(t, filepath.Join(t.TempDir(), "links", "data.db"))
	for _, step := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/docs", "", 404},
		{"PUT", "/docs", "https://example.test/docs", 204},
		{"GET", "/docs", "", 302},
		{"PUT", "/docs", "https://example.test/other", 204},
		{"PUT", "/docs", "no address", 400},
		{"PUT", "/.check", "https://example.test/", 400},
		{"PUT", "/.mine", "https://example.test/", 400},
		{"PUT", "/long", "https://example.test/" + strings.Repeat("x", longest), 400},
		{"DELETE", "/none", "", 404},
	} {
		if w := ask(t, s, step.method, step.path, step.body); w.Code != step.status {
			t.Errorf("%s %s = %d %q; want %d", step.method, step.path, w.Code, w.Body, step.status)
		}
	}
	if to := ask(t, s, "GET", "/docs", "").Header().Get("Location"); to != "https://example.test/other" {
		t.Errorf("it leads to %q", to)
	}
	var list struct {
		Owner string
		Links []link
	}
	if err := json.Unmarshal(ask(t, s, "GET", "/", "").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if want := (link{"docs", "https://example.test/other", 2}); list.Owner != "tests" || len(list.Links) != 1 || list.Links[0] != want {
		t.Errorf("all of them: %+v; want %+v", list, want)
	}
	if w := ask(t, s, "DELETE", "/docs", ""); w.Code != 204 {
		t.Errorf("DELETE /docs = %d", w.Code)
	}
	if w := ask(t, s, "GET", "/docs", ""); w.Code != 404 {
		t.Errorf("once forgotten: %d", w.Code)
	}
}

func TestABackupIsADatabaseOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	s := served(t, filepath.Join(dir, "data.db"))
	ask(t, s, "PUT", "/docs", "https://example.test/docs")
	copied := filepath.Join(dir, "copy.db")
	if err := s.links.backup(copied); err != nil {
		t.Fatal(err)
	}
	if w := ask(t, served(t, copied), "GET", "/docs", ""); w.Code != 302 {
		t.Errorf("the link is not in the backup: %d", w.Code)
	}
	if err := s.links.backup(copied); err == nil {
		t.Error("a backup was written over another")
	}
}

func TestItSaysHowItIsKept(t *testing.T) {
	s := served(t, filepath.Join(t.TempDir(), "data.db"))
	var got state
	if err := json.Unmarshal(ask(t, s, "GET", "/.check", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Integrity != "ok" || got.Journal != "wal" || got.Synchronous != 2 || !strings.HasPrefix(got.Version, "3.") {
		t.Errorf("it is kept so: %+v", got)
	}
}

func TestWithoutAFolderToKeepItInItFails(t *testing.T) {
	if _, err := open(filepath.Join(t.TempDir(), "no", "links", "data.db"), "FULL"); err == nil {
		t.Error("it made folders that nobody mounted")
	}
}

func TestADamagedDatabaseIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(path, "FULL"); err == nil {
		t.Error("a file that is no database was opened")
	}
}
