// disk writes to /perm, drops what the kernel keeps in memory, reads back and compares; it prints both speeds.
package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"syscall"
	"time"
)

const (
	chunk  = 1 << 20
	chunks = 32
	path   = "/perm/.harness-disk-probe"
)

func main() {
	var there, parent syscall.Stat_t
	if syscall.Stat("/perm", &there) != nil || syscall.Stat("/", &parent) != nil || there.Dev == parent.Dev {
		// Nothing is mounted there: what is written would only be memory.
		return
	}
	defer os.Remove(path)
	content := make([]byte, chunk)
	rand.New(rand.NewSource(1)).Read(content)
	began := time.Now()
	file, err := os.Create(path)
	for number := 0; number < chunks && err == nil; number++ {
		content[0] = byte(number)
		_, err = file.Write(content)
	}
	if err == nil {
		err = file.Sync()
	}
	file.Close()
	if err != nil {
		fmt.Printf("bad\twriting to the disk\t%v\n", err)
		return
	}
	fmt.Printf("rate\twriting to the disk\t%.3f\n", chunks/time.Since(began).Seconds())
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0o200); err != nil {
		fmt.Printf("bad\tdropping caches\t%v\n", err)
		return
	}
	began = time.Now()
	read := make([]byte, chunk)
	file, err = os.Open(path)
	for number := 0; number < chunks && err == nil; number++ {
		content[0] = byte(number)
		for at := 0; at < chunk && err == nil; {
			var count int
			count, err = file.Read(read[at:])
			at += count
		}
		if err == nil && !bytes.Equal(read, content) {
			fmt.Printf("bad\treading from the disk\tMiB %d is not what was written\n", number)
			return
		}
	}
	if err != nil {
		fmt.Printf("bad\treading from the disk\t%v\n", err)
		return
	}
	file.Close()
	fmt.Printf("rate\treading from the disk\t%.3f\n", chunks/time.Since(began).Seconds())
	fmt.Printf("ok\twhat is read is what was written\t\n")
}
