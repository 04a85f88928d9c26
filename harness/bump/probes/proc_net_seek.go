// proc_net_seek reads each table of /proc/net twice, by seeking back: Linux 6.6.102 and 6.12.42 answered the second
// time with an error or with nothing (seq_file, "proc: fix missing pde_set_flags() for net proc files").
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

func main() {
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/route", "/proc/net/dev"} {
		file, err := os.Open(path)
		if err != nil {
			// A kernel without this protocol has no table of it.
			continue
		}
		first, err := io.ReadAll(file)
		if err == nil {
			_, err = file.Seek(0, io.SeekStart)
		}
		var second []byte
		if err == nil {
			second, err = io.ReadAll(file)
		}
		head := bytes.IndexByte(first, '\n') + 1
		switch {
		case err != nil:
			fmt.Printf("bad\tseek in %s\t%v\n", path, err)
		case len(second) < head || !bytes.Equal(first[:head], second[:head]):
			fmt.Printf("bad\tseek in %s\tread again from its beginning, it says something else\n", path)
		default:
			fmt.Printf("ok\tseek in %s\t\n", path)
		}
		file.Close()
	}
}
