package service

import "testing"

func TestCountsEachProgramByItself(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []struct {
		name string
		want uint64
	}{{"one", 1}, {"one", 2}, {"other", 1}, {"one", 3}} {
		n, err := count(dir, step.name)
		if n != step.want || err != nil {
			t.Errorf("start of %s: %d, %v; want %d, nil", step.name, n, err, step.want)
		}
	}
	if n, err := count(dir+"/missing/twice", "one"); err == nil {
		t.Errorf("without a folder: %d, want an error", n)
	}
}
