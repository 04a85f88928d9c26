// Package links is a link shortener: it keeps short names of addresses in an
// SQLite database, and redirects whoever asks for a name.
package links

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"
)

// errUnknown is what a name gives that nobody keeps.
var errUnknown = errors.New("there is no such link")

const schema = `
CREATE TABLE IF NOT EXISTS links (
	name    TEXT PRIMARY KEY,
	address TEXT NOT NULL,
	visits  INTEGER NOT NULL DEFAULT 0
) STRICT`

// Links are short names of addresses in a database.
type Links struct {
	db *sql.DB
}

// link is one of them.
type link struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Visits  int64  `json:"visits"`
}

// Open opens the database, and makes it and its folder where they are not
// there yet. The folder's parent must exist: a device without a writable
// /perm must fail, not keep links in memory. With synchronous FULL, what was
// answered is on the disk.
func Open(path, synchronous string) (*Links, error) {
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	pragmas := url.Values{"_pragma": {
		"journal_mode(WAL)", // readers and a backup do not wait for writers
		"synchronous(" + synchronous + ")",
		"busy_timeout(5000)", // milliseconds
	}}
	db, err := sql.Open("sqlite", "file:"+path+"?"+pragmas.Encode())
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(schema); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Links{db}, nil
}

// Close closes the database.
func (l *Links) Close() error { return l.db.Close() }

// put keeps an address under a name.
func (l *Links) put(name, address string) error {
	_, err := l.db.Exec(`INSERT INTO links (name, address) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET address = excluded.address`, name, address)
	return err
}

// visit counts a visit, and returns the address.
func (l *Links) visit(name string) (string, error) {
	var address string
	err := l.db.QueryRow(`UPDATE links SET visits = visits + 1 WHERE name = ? RETURNING address`, name).Scan(&address)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errUnknown
	}
	return address, err
}

// drop forgets a name.
func (l *Links) drop(name string) error {
	done, err := l.db.Exec(`DELETE FROM links WHERE name = ?`, name)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, errUnknown)
	}
	return nil
}

// all returns every link, by name.
func (l *Links) all() ([]link, error) {
	rows, err := l.db.Query(`SELECT name, address, visits FROM links ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []link{}
	for rows.Next() {
		var one link
		if err := rows.Scan(&one.Name, &one.Address, &one.Visits); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

// state is what SQLite says of the database.
type state struct {
	Integrity   string `json:"integrity"`
	Journal     string `json:"journal"`
	Synchronous int    `json:"synchronous"`
	Version     string `json:"version"`
}

func (l *Links) check() (state, error) {
	var s state
	for question, answer := range map[string]any{
		"PRAGMA integrity_check":  &s.Integrity,
		"PRAGMA journal_mode":     &s.Journal,
		"PRAGMA synchronous":      &s.Synchronous,
		"SELECT sqlite_version()": &s.Version,
	} {
		if err := l.db.QueryRow(question).Scan(answer); err != nil {
			return s, fmt.Errorf("%s: %w", question, err)
		}
	}
	return s, nil
}

// Backup writes the whole database into a new file.
func (l *Links) Backup(path string) error {
	_, err := l.db.Exec(`VACUUM INTO ?`, path)
	return err
}
