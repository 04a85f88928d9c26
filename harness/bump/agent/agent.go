// agent runs on the device. "agent unpack FILE" unpacks programs from a compressed archive. "agent run FILE PROGRAM" runs a probe and keeps what it prints in a file: what breakglass
// passes on without a shell may lack its end. "agent traffic PORT" is the device's end of bulk traffic. "agent keep FILE"
// writes a file and waits until the disk has it; "agent kept FILE" compares it. "agent panic" has the kernel panic, and
// "agent hang" has it panic and stay so. "agent join OWN PEER HARDWARE" gives the first card a second address, and says
// under which hardware address its peer is found. "agent carry ADDRESS DIRECTION BYTES BLOCK" is the other end of bulk
// traffic.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const keptMiB = 16

func pattern() []byte {
	content := make([]byte, 1<<20)
	for number := range content {
		content[number] = byte(number*31 + number>>8)
	}
	return content
}

// serve answers one connection. It begins with a line: the direction ("in", "out", or "end" to end the program), how
// many bytes, and how many at a time. What is received is checked, byte for byte, against what both ends know.
func serve(connection net.Conn, content []byte) {
	defer connection.Close()
	from := bufio.NewReaderSize(connection, 1<<16)
	line, err := from.ReadString('\n')
	if err != nil {
		return
	}
	var direction string
	var size, block int
	if _, err := fmt.Sscan(line, &direction, &size, &block); err != nil || block <= 0 {
		return
	}
	if direction == "end" {
		os.Exit(0)
	}
	if direction == "in" {
		buffer := make([]byte, block)
		for at := 0; at < size; {
			count, err := from.Read(buffer[:min(block, size-at)])
			for offset := 0; offset < count; {
				start := (at + offset) % len(content)
				length := min(count-offset, len(content)-start)
				if !bytes.Equal(buffer[offset:offset+length], content[start:start+length]) {
					fmt.Fprintf(connection, "damaged %d\n", at+offset)
					return
				}
				offset += length
			}
			at += count
			if err != nil {
				return
			}
		}
		fmt.Fprintf(connection, "whole %d\n", size)
		return
	}
	for at := 0; at < size; {
		start := at % len(content)
		length := min(block, size-at, len(content)-start)
		count, err := connection.Write(content[start : start+length])
		at += count
		if err != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, from)
}

func traffic(port string) error {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	content := pattern()
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go serve(connection, content)
	}
}

func run(file, program string, arguments ...string) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	command := exec.Command(program, arguments...)
	command.Stdout, command.Stderr = out, out
	err = command.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		return err
	}
	_, err = fmt.Fprintf(out, "\nend\t%s\t%s\n", program, command.ProcessState)
	return err
}

func unpack(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	whole, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	for archive := tar.NewReader(whole); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return os.Remove(path)
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Base(header.Name), content, 0o755); err != nil {
			return err
		}
	}
}

// sync makes the disk have a file, or the names in a folder.
func sync(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

func keep(path string) error {
	if err := os.WriteFile(path, bytes.Repeat(pattern(), keptMiB), 0o600); err != nil {
		return err
	}
	if err := sync(path); err != nil {
		return err
	}
	return sync(filepath.Dir(path))
}

func kept(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if wanted := bytes.Repeat(pattern(), keptMiB); !bytes.Equal(content, wanted) {
		same := 0
		for same < len(content) && same < len(wanted) && content[same] == wanted[same] {
			same++
		}
		return fmt.Errorf("%s has %d of its %d bytes, and is another from byte %d on", path, len(content), len(wanted), same)
	}
	return os.Remove(path)
}

// die has the kernel panic, a moment later: who asked for it gets an answer before.
func die() error {
	time.Sleep(time.Second)
	return os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0o200)
}

// later starts this program once more, and leaves it alone.
func later(what string) error {
	command := exec.Command("/proc/self/exe", what)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command.Start()
}

func hang() error {
	// The kernel restarts this many seconds after a panic; with 0 it stays.
	if err := os.WriteFile("/proc/sys/kernel/panic", []byte("0"), 0o200); err != nil {
		return err
	}
	return later("die")
}

func main() {
	var err error
	if len(os.Args) >= 4 && os.Args[1] == "run" {
		err = run(os.Args[2], os.Args[3], os.Args[4:]...)
	} else if len(os.Args) == 3 && os.Args[1] == "traffic" {
		err = traffic(os.Args[2])
	} else if len(os.Args) == 3 && os.Args[1] == "unpack" {
		err = unpack(os.Args[2])
	} else if len(os.Args) == 3 && os.Args[1] == "keep" {
		err = keep(os.Args[2])
	} else if len(os.Args) == 3 && os.Args[1] == "kept" {
		err = kept(os.Args[2])
	} else if len(os.Args) == 5 && os.Args[1] == "join" {
		err = join(os.Args[2], os.Args[3], os.Args[4])
	} else if len(os.Args) == 6 && os.Args[1] == "carry" {
		carry(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	} else if len(os.Args) == 2 && os.Args[1] == "panic" {
		err = later("die")
	} else if len(os.Args) == 2 && os.Args[1] == "hang" {
		err = hang()
	} else if len(os.Args) == 2 && os.Args[1] == "die" {
		err = die()
	} else {
		err = fmt.Errorf("usage: agent unpack FILE | run FILE PROGRAM ... | traffic PORT | keep FILE | kept FILE | panic | hang | join ... | carry ...")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
