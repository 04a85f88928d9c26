package links

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func served(t *testing.T, path string) *Links {
	t.Helper()
	kept, err := Open(path, "FULL")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	return kept
}

func ask(t *testing.T, kept *Links, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(kept, "tests").ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

func TestALinkIsKeptVisitedAndForgotten(t *testing.T) {
	kept := served(t, filepath.Join(t.TempDir(), "links", "data.db"))
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
		if w := ask(t, kept, step.method, step.path, step.body); w.Code != step.status {
			t.Errorf("%s %s = %d %q; want %d", step.method, step.path, w.Code, w.Body, step.status)
		}
	}
	if to := ask(t, kept, "GET", "/docs", "").Header().Get("Location"); to != "https://example.test/other" {
		t.Errorf("it leads to %q", to)
	}
	var list struct {
		Owner string
		Links []link
	}
	if err := json.Unmarshal(ask(t, kept, "GET", "/", "").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if want := (link{"docs", "https://example.test/other", 2}); list.Owner != "tests" || len(list.Links) != 1 || list.Links[0] != want {
		t.Errorf("all of them: %+v; want %+v", list, want)
	}
	if w := ask(t, kept, "DELETE", "/docs", ""); w.Code != 204 {
		t.Errorf("DELETE /docs = %d", w.Code)
	}
	if w := ask(t, kept, "GET", "/docs", ""); w.Code != 404 {
		t.Errorf("once forgotten: %d", w.Code)
	}
}

func TestABackupIsADatabaseOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	kept := served(t, filepath.Join(dir, "data.db"))
	ask(t, kept, "PUT", "/docs", "https://example.test/docs")
	copied := filepath.Join(dir, "copy.db")
	if err := kept.Backup(copied); err != nil {
		t.Fatal(err)
	}
	if w := ask(t, served(t, copied), "GET", "/docs", ""); w.Code != 302 {
		t.Errorf("the link is not in the backup: %d", w.Code)
	}
	if err := kept.Backup(copied); err == nil {
		t.Error("a backup was written over another")
	}
}

func TestItSaysHowItIsKept(t *testing.T) {
	kept := served(t, filepath.Join(t.TempDir(), "data.db"))
	var got state
	if err := json.Unmarshal(ask(t, kept, "GET", "/.check", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Integrity != "ok" || got.Journal != "wal" || got.Synchronous != 2 || !strings.HasPrefix(got.Version, "3.") {
		t.Errorf("it is kept so: %+v", got)
	}
}

func TestWithoutAFolderToKeepItInItFails(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "no", "links", "data.db"), "FULL"); err == nil {
		t.Error("it made folders that nobody mounted")
	}
}

func TestADamagedDatabaseIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, "FULL"); err == nil {
		t.Error("a file that is no database was opened")
	}
}
