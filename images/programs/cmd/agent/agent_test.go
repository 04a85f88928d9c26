package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recorded is a device that notes what is done to it.
type recorded struct{ done []string }

func (r *recorded) freeze() error { r.done = append(r.done, "freeze"); return nil }
func (r *recorded) thaw() error   { r.done = append(r.done, "thaw"); return nil }
func (r *recorded) shutdown(mode string) error {
	r.done = append(r.done, "shutdown "+mode)
	return nil
}
func (r *recorded) interfaces() ([]netInterface, error) { return listed() }

func fresh() (*agent, *recorded) {
	r := &recorded{}
	return &agent{commands: map[int]*command{}, system: r}, r
}

func TestAnswers(t *testing.T) {
	for asked, want := range map[string]string{
		`{"execute":"guest-ping"}`:                                         `{"return":{}}`,
		`{"execute":"guest-ping","id":"x"}`:                                `{"return":{},"id":"x"}`,
		`{"execute":"guest-sync","arguments":{"id":77}}`:                   `{"return":77}`,
		`{"execute":"guest-sync-delimited","arguments":{"id":77}}`:         "\xff" + `{"return":77}`,
		`{"execute":"guest-fsfreeze-status"}`:                              `{"return":"thawed"}`,
		`{"execute":"guest-nonsense"}`:                                     `{"error":{"class":"CommandNotFound","desc":"The command guest-nonsense has not been found"}}`,
		`{"execute":"guest-exec-status","arguments":{"pid":9}}`:            `{"error":{"class":"GenericError","desc":"PID 9 does not exist"}}`,
		"\xff" + `{"execute":"guest-sync-delimited","arguments":{"id":1}}`: "\xff" + `{"return":1}`,
	} {
		a, _ := fresh()
		both := &talk{in: strings.NewReader(asked + "\n")}
		_ = a.serve(both) // it ends with the text
		if got := strings.TrimSuffix(both.said.String(), "\n"); got != want {
			t.Errorf("%s: %s", asked, got)
		}
	}
}

func TestNoJSON(t *testing.T) {
	a, _ := fresh()
	if said := string(a.answer([]byte("nonsense"))); !strings.Contains(said, "JSON parse error") {
		t.Error(said)
	}
}

func TestFreezeOnce(t *testing.T) {
	a, r := fresh()
	for _, name := range []string{"freeze", "freeze", "thaw", "thaw"} {
		a.answer([]byte(`{"execute":"guest-fsfreeze-` + name + `"}`))
	}
	if got := strings.Join(r.done, " "); got != "freeze thaw" {
		t.Error(got)
	}
}

func TestShutdownIsNotAnswered(t *testing.T) {
	a, r := fresh()
	said := a.answer([]byte(`{"execute":"guest-shutdown","arguments":{"mode":"reboot"}}`))
	if said != nil || strings.Join(r.done, "") != "shutdown reboot" {
		t.Errorf("%s %v", said, r.done)
	}
}

func TestExec(t *testing.T) {
	a, _ := fresh()
	said := string(a.answer([]byte(`{"execute":"guest-exec","arguments":{"path":"sh","arg":["-c","echo hi; exit 3"],"capture-output":true}}`)))
	if said != `{"return":{"pid":1}}`+"\n" {
		t.Fatal(said)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		said = string(a.answer([]byte(`{"execute":"guest-exec-status","arguments":{"pid":1}}`)))
		if !strings.Contains(said, `"exited":false`) || time.Now().After(deadline) {
			break
		}
	}
	var got struct {
		Return struct {
			Exitcode int
			Out      []byte `json:"out-data"`
		}
	}
	if err := json.Unmarshal([]byte(said), &got); err != nil || got.Return.Exitcode != 3 || string(got.Return.Out) != "hi\n" {
		t.Error(said, err)
	}
}

func TestFind(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"vport0p1": "other", "vport0p2": channel + "\n"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name, "name"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := find(folder); got != "vport0p2" || err != nil {
		t.Error(got, err)
	}
	if got, err := find(t.TempDir()); err == nil {
		t.Error(got)
	}
}

// talk is a host that says some lines, and hears the answers.
type talk struct {
	in   *strings.Reader
	said strings.Builder
}

func (both *talk) Read(p []byte) (int, error)  { return both.in.Read(p) }
func (both *talk) Write(p []byte) (int, error) { return both.said.Write(p) }
