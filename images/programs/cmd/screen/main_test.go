package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, size, bits, stride string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"virtual_size": size, "bits_per_pixel": bits, "stride": stride} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestBars(t *testing.T) {
	s, err := read(write(t, "4,2", "32", "20"))
	if err != nil {
		t.Fatal(err)
	}
	row := []byte{0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0, 0, 0, 0, 0}
	if got := s.bars(); !bytes.Equal(got, append(row, row...)) {
		t.Errorf("bars of 32 bits: %v", got)
	}
	if s, err = read(write(t, "4,1", "16", "8")); err != nil {
		t.Fatal(err)
	}
	if got := s.bars(); !bytes.Equal(got, []byte{0, 0xf8, 0xe0, 7, 0x1f, 0, 255, 255}) {
		t.Errorf("bars of 16 bits: %v", got)
	}
}

func TestUnknownFrameBuffer(t *testing.T) {
	for _, folder := range []string{write(t, "4,2", "24", "20"), write(t, "4,2", "32", "8"), write(t, "4", "32", "20"), t.TempDir()} {
		if s, err := read(folder); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}
