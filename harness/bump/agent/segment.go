package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const (
	siocSetAddress = 0x8916
	siocSetMask    = 0x891c
	siocSetPeer    = 0x8955
	ethernet       = 1
	complete       = 0x02 // ATF_COM
	permanent      = 0x04 // ATF_PERM
	card           = "eth0"
	stall          = 30 * time.Second
)

// address is a sockaddr_in.
type address struct {
	family uint16
	port   uint16
	ip     [4]byte
	_      [8]byte
}

type interfaceRequest struct {
	name    [16]byte
	address address
	_       [8]byte
}

type peerRequest struct {
	protocol address
	hardware struct {
		family uint16
		data   [14]byte
	}
	flags  int32
	mask   address
	device [16]byte
}

func of(ip net.IP) address {
	made := address{family: syscall.AF_INET}
	copy(made.ip[:], ip.To4())
	return made
}

// join gives the first card a second address, and says under which hardware address its peer is found.
func join(own, peer, hardware string) error {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	ask := func(what string, number uintptr, request unsafe.Pointer) error {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), number, uintptr(request)); errno != 0 {
			return fmt.Errorf("%s: %w", what, errno)
		}
		return nil
	}
	for _, step := range []struct {
		what   string
		number uintptr
		ip     net.IP
	}{{"second address", siocSetAddress, net.ParseIP(own)}, {"its mask", siocSetMask, net.IPv4(255, 255, 255, 0)}} {
		request := interfaceRequest{address: of(step.ip)}
		copy(request.name[:15], card+":1")
		if err := ask(step.what, step.number, unsafe.Pointer(&request)); err != nil {
			return err
		}
	}
	found, err := net.ParseMAC(hardware)
	if err != nil {
		return err
	}
	request := peerRequest{protocol: of(net.ParseIP(peer)), flags: complete | permanent}
	request.hardware.family = ethernet
	copy(request.hardware.data[:], found)
	copy(request.device[:15], card)
	return ask("peer", siocSetPeer, unsafe.Pointer(&request))
}

// carry sends ("in") or fetches ("out") so many bytes from a program that listens, and prints how that went.
func carry(to, direction, size, block string) {
	total, _ := strconv.Atoi(size)
	each, _ := strconv.Atoi(block)
	began := time.Now()
	if err := carried(to, direction, total, each); err != nil {
		if wait, is := err.(net.Error); is && wait.Timeout() {
			err = fmt.Errorf("it stalls: not a byte for %.0f s", stall.Seconds())
		}
		fmt.Printf("bad\t-\t%v\n", err)
		return
	}
	fmt.Printf("ok\t-\t\nrate\t-\t%.3f\n", float64(total)/(1<<20)/time.Since(began).Seconds())
}

func carried(to, direction string, size, block int) error {
	connection, err := net.DialTimeout("tcp", to, stall)
	if err != nil {
		return err
	}
	defer connection.Close()
	content := pattern()
	live := func() { connection.SetDeadline(time.Now().Add(stall)) }
	live()
	if _, err := fmt.Fprintf(connection, "%s %d %d\n", direction, size, block); err != nil {
		return err
	}
	buffer := make([]byte, max(block, 1<<16))
	for at := 0; at < size; {
		live()
		start := at % len(content)
		if direction == "in" {
			count, err := connection.Write(content[start : start+min(block, size-at, len(content)-start)])
			at += count
			if err != nil {
				return err
			}
			continue
		}
		count, err := connection.Read(buffer[:min(len(buffer), len(content)-start)])
		if !bytes.Equal(buffer[:count], content[start:start+count]) {
			return fmt.Errorf("it is damaged within %d bytes after %d", count, at)
		}
		at += count
		if err == io.EOF && at < size {
			return fmt.Errorf("it ended after %d of %d bytes", at, size)
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	if direction == "in" {
		live()
		var got int
		if _, err := fmt.Fscanf(connection, "whole %d\n", &got); err != nil || got != size {
			return fmt.Errorf("the other received something else (%d bytes, %v)", got, err)
		}
	}
	return nil
}
