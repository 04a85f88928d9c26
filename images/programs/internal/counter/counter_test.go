package counter

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestStartsAtZeroAndWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hello", "counter")
	n, err := At(path).Value()
	if n != 0 || err != nil {
		t.Fatalf("Value() = %d, %v; want 0, nil", n, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("reading made a folder: %v", err)
	}
}

func TestAnotherCounterReadsWhatWasIncremented(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hello", "counter")
	for want := uint64(1); want <= 12; want++ {
		n, err := At(path).Increment()
		if n != want || err != nil {
			t.Fatalf("Increment() = %d, %v; want %d, nil", n, err, want)
		}
	}
	n, err := At(path).Value()
	if n != 12 || err != nil {
		t.Errorf("Value() = %d, %v; want 12, nil", n, err)
	}
	b, err := os.ReadFile(path)
	if string(b) != "12\n" || err != nil {
		t.Errorf("the file holds %q, %v; want \"12\\n\"", b, err)
	}
}

func TestLeavesNoTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	c := At(filepath.Join(dir, "counter"))
	for range 3 {
		if _, err := c.Increment(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("the folder holds %v; want the counter alone", entries)
	}
}

func TestConcurrentIncrementsAllCount(t *testing.T) {
	c := At(filepath.Join(t.TempDir(), "counter"))
	var all sync.WaitGroup
	for range 20 {
		all.Add(1)
		go func() {
			defer all.Done()
			if _, err := c.Increment(); err != nil {
				t.Error(err)
			}
		}()
	}
	all.Wait()
	if n, err := c.Value(); n != 20 || err != nil {
		t.Errorf("Value() = %d, %v; want 20, nil", n, err)
	}
}

func TestDamagedFileIsAnErrorAndStays(t *testing.T) {
	for _, content := range []string{"", "\n", "12x\n", "-1\n", "1\n2\n", "\x00\x00\n"} {
		path := filepath.Join(t.TempDir(), "counter")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if n, err := At(path).Value(); err == nil {
			t.Errorf("content %q: Value() = %d, want an error", content, n)
		}
		if n, err := At(path).Increment(); err == nil {
			t.Errorf("content %q: Increment() = %d, want an error", content, n)
		}
		if b, _ := os.ReadFile(path); string(b) != content {
			t.Errorf("content %q was replaced by %q", content, b)
		}
	}
}

func TestMissingParentOfTheFolderIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "perm", "hello", "counter")
	if n, err := At(path).Increment(); err == nil {
		t.Errorf("Increment() = %d, want an error", n)
	}
}
