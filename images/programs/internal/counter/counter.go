// Package counter keeps a number in a file so that it survives a power cut.
package counter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Counter is a number kept in a file. The file always holds either the old or
// the new number in full, never a part of one.
type Counter struct {
	path string
	mu   sync.Mutex
}

// At returns the counter kept in the file at path. Neither the file nor its
// folder needs to exist: a counter that was never incremented is 0.
func At(path string) *Counter {
	return &Counter{path: path}
}

// Value reads the number from the file. A file that holds no number is an
// error, so that lost data cannot pass for a fresh start.
func (c *Counter) Value() (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

// Increment adds one and returns the new number once it is on the disk.
func (c *Counter) Increment() (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.read()
	if err != nil {
		return 0, err
	}
	n++
	if err := c.write(n); err != nil {
		return 0, err
	}
	return n, nil
}

func (c *Counter) read() (uint64, error) {
	b, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(string(b), "\n"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s holds no number: %w", c.path, err)
	}
	return n, nil
}

// write replaces the file: a new file is written and synced first, then
// renamed over the old one, then the folder is synced, because a rename is
// durable only with its folder.
func (c *Counter) write(n uint64) error {
	dir := filepath.Dir(c.path)
	if err := mkdirDurably(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(c.path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing once it has been renamed
	if _, err := fmt.Fprintf(f, "%d\n", n); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), c.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// mkdirDurably makes dir inside its parent, which must exist: on a device
// without a writable /perm it must fail, not count somewhere else.
func mkdirDurably(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
